// When the change happened that an EndpointSlice shows: its control plane says so in an annotation.

import type { Raw } from '../fields.ts'

const ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

/** Milliseconds since 1970; 0 for an object that does not say. */
export function triggerTimeOf(object: unknown): number {
  const metadata = (object as Raw | null)?.metadata as Raw | null | undefined
  const annotations = metadata?.annotations as Raw | null | undefined
  const text = annotations?.[ANNOTATION]
  if (typeof text !== 'string' || !RFC_3339.test(text)) return 0
  const milliseconds = Date.parse(text)
  return Number.isNaN(milliseconds) ? 0 : milliseconds
}
