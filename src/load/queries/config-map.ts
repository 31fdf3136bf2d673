// The texts in a ConfigMap, as kubernetes/perf-tests keeps the names that its dnsperfgo looks up (dns/dnsperfgo/queries-cm.yaml).

import { parseYaml } from '../../kube/yaml-items.ts'
import { LoadInputError } from '../input-error.ts'

/** A file in a ConfigMap. */
export interface ConfigMapText {
  readonly key: string
  readonly text: string
}

/** How much of a file is looked at to see what it is. */
const HEAD_LENGTH = 4096
const MANIFEST_LINE = /^(?:---|%YAML|\{|(?:apiVersion|kind|metadata|data|items)[ \t]*:)/
const DOCUMENT_MARKER = /^---.*$/m

/** Whether a file is a manifest, by its first line that is neither blank nor a comment. */
export function isManifest(octets: Buffer): boolean {
  const line = octets.toString('latin1', 0, HEAD_LENGTH).split('\n').find(saysSomething)
  return line !== undefined && MANIFEST_LINE.test(line)
}

/**
 * Everything under `data` of all ConfigMaps in a manifest, YAML or JSON, in order.
 *
 * @param place  the file, for messages
 * @throws LoadInputError for what is no YAML, and if there is no ConfigMap with data
 */
export function configMapTexts(octets: Buffer, place: string): ConfigMapText[] {
  const texts: ConfigMapText[] = []
  for (const document of octets.toString('utf8').split(DOCUMENT_MARKER)) {
    if (document.split('\n').some(saysSomething)) collect(parsed(document, place), texts)
  }
  if (texts.length === 0) throw new LoadInputError(`${place}: a manifest without a ConfigMap that has data`)
  return texts
}

function saysSomething(line: string): boolean {
  return !/^\s*(?:#|$)/.test(line)
}

function parsed(document: string, place: string): unknown {
  try {
    return parseYaml(document)
  } catch (error) {
    throw new LoadInputError(`${place}: ${(error as Error).message.split('\n', 1)[0]}`)
  }
}

function collect(value: unknown, texts: ConfigMapText[]): void {
  if (typeof value !== 'object' || value === null) return
  const { kind, data, items } = value as { kind?: unknown; data?: unknown; items?: unknown }
  if (Array.isArray(items)) for (const item of items) collect(item, texts)
  if (kind !== 'ConfigMap' || typeof data !== 'object' || data === null) return
  for (const [key, text] of Object.entries(data)) if (typeof text === 'string') texts.push({ key, text })
}
