// Errors while setting up the node, counted by kind from 0 on: what an alert is written against.

import type { Handler } from '../admin/endpoints.ts'
import { send } from '../admin/endpoints.ts'

/** In the words of the metric's label. */
export const SETUP_ERRORS = ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap'] as const

export type SetupError = (typeof SETUP_ERRORS)[number]

/** The name, and the one that it had before. */
const NAMES = ['coredns_nodecache_setup_errors_total', 'coredns_nodecache_setup_errors']
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export class SetupErrors {
  readonly #counts = new Map<SetupError, number>(SETUP_ERRORS.map((kind) => [kind, 0]))

  count(kind: SetupError): void {
    this.#counts.set(kind, this.of(kind) + 1)
  }

  of(kind: SetupError): number {
    return this.#counts.get(kind) ?? 0
  }

  /** Each kind with its count. */
  get counts(): Iterable<readonly [SetupError, number]> {
    return this.#counts
  }

  /** In the text format of Prometheus, 0.0.4. */
  text(): string {
    return NAMES.flatMap((name) => [
      `# HELP ${name} Errors while setting up the node.`,
      `# TYPE ${name} counter`,
      ...[...this.#counts].map(([kind, count]) => `${name}{errortype="${kind}"} ${count}`),
      '',
    ]).join('\n')
  }
}

/** Answers `/metrics`. */
export function setupMetrics(errors: SetupErrors): Handler {
  return (_request, response) => send(response, 200, errors.text(), CONTENT_TYPE)
}
