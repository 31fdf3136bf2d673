// The Corefile of a node out of its template: placeholders, stub domains, other upstream servers (reference, section 15.2). Text in, text out;
// whether the Corefile is any good is for whoever loads it to say.

import { tryCorefile } from '../config/corefile/read.ts'
import type { ServerBlock } from '../config/corefile/syntax.ts'
import { parseKey } from '../config/zone-names.ts'
import { NameError } from '../dns/name.ts'
import type { KubeDns } from './kube-dns.ts'

/** What stands for the placeholders. */
export interface TemplateValues {
  /** What the blocks of stub domains are bound to. */
  readonly addresses: readonly string[]
  /** Where the cluster's DNS servers are asked; '' = not known. */
  readonly clusterAddress: string
  /** Why it is not known. */
  readonly clusterUnknown: string
  readonly kubeDns: KubeDns
  /** Where the Corefile will be: what it imports is relative to that. */
  readonly path: string
}

/** A Corefile that was made. */
export interface MadeCorefile {
  readonly text: string
  /** What was left out, for the log. */
  readonly warnings: readonly string[]
}

/** A template that makes no Corefile. The message says what is missing. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly code = 'TEMPLATE'
}

const CLUSTER_DNS = '__PILLAR__CLUSTER__DNS__'
const UPSTREAM_SERVERS = '__PILLAR__UPSTREAM__SERVERS__'
const PLACEHOLDER = /__PILLAR__[A-Z_]+?__(?![A-Z_])/
const COMMENT = /(^|\s)#.*$/
const NODE_SERVERS = '/etc/resolv.conf'
const PORT = 53

/** @throws TemplateError */
export function corefileOf(template: string, values: TemplateValues): MadeCorefile {
  const { kubeDns, clusterAddress, path } = values
  const used = template.split('\n').map((line) => line.replace(COMMENT, ''))
  if (clusterAddress === '' && used.some((line) => line.includes(CLUSTER_DNS))) {
    throw new TemplateError(`${CLUSTER_DNS}: ${values.clusterUnknown}`)
  }
  const servers = kubeDns.upstreamNameservers.length === 0 ? NODE_SERVERS : kubeDns.upstreamNameservers.join(' ')
  const filled = template.replaceAll(CLUSTER_DNS, clusterAddress).replaceAll(UPSTREAM_SERVERS, servers)
  checkFilled(filled)
  const blocks = tryCorefile(path, process.env, filled).syntax?.blocks ?? []
  const text = kubeDns.upstreamNameservers.length === 0 ? filled : withoutForcedTcp(filled, blocks, path)
  const zones = zonesOf(blocks)
  const warnings: string[] = []
  const stubs = [...kubeDns.stubDomains].flatMap(([zone, stubServers]) => {
    if (!zones.has(absolute(zone))) return stubBlock(zone, stubServers, values.addresses)
    warnings.push(`stub domain ${zone} is left out: the template has a block for it`)
    return []
  })
  return { text: [text.replace(/\n*$/, '\n'), ...stubs].join(''), warnings }
}

/** What is left is for the installer to replace; as a zone or an address it would mean something else. */
function checkFilled(text: string): void {
  text.split('\n').forEach((line, index) => {
    const [found] = PLACEHOLDER.exec(line.replace(COMMENT, '')) ?? []
    if (found !== undefined) throw new TemplateError(`line ${index + 1}: ${found} has not been replaced`)
  })
}

/** Servers outside of the cluster are asked as usual: over UDP first. */
function withoutForcedTcp(text: string, blocks: readonly ServerBlock[], path: string): string {
  const lines = text.split('\n')
  const properties = blocks
    .filter(({ keys }) => keys.some((key) => zonesOfKey(key.text).includes('.')))
    .flatMap(({ directives }) => directives.filter(({ name }) => name.text === 'forward'))
    .flatMap((directive) => directive.properties)
  for (const { name } of properties) {
    if (name.text !== 'force_tcp' || name.file !== path) continue
    lines[name.line - 1] = lines[name.line - 1].replace(/\bforce_tcp\b/, '').trimEnd()
  }
  return lines.join('\n')
}

function zonesOf(blocks: readonly ServerBlock[]): Set<string> {
  return new Set(blocks.flatMap(({ keys }) => keys.flatMap((key) => zonesOfKey(key.text))))
}

/** Those on the port of DNS; none for a key that is no good. */
function zonesOfKey(text: string): readonly string[] {
  try {
    const { zones, port, scheme } = parseKey(text, PORT)
    return port === PORT && scheme === 'dns' ? zones : []
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    return []
  }
}

function absolute(zone: string): string {
  return zone === '.' ? zone : `${zone}.`
}

function stubBlock(zone: string, servers: readonly string[], addresses: readonly string[]): string {
  return `${zone}:${PORT} {
    errors
    cache 30
    bind ${addresses.join(' ')}
    forward . ${servers.join(' ')}
}
`
}
