// Every directive that a Corefile may hold: the fixed order in which plugins stand in a block, which may stand there once,
// and what to say about those that are not had here. What each of them means is not known here (plugins/).

import type { PluginName } from './configuration.ts'

/** Directives that are had: plugins, and those that are about the block itself. */
export type DirectiveName = PluginName | 'root'

/**
 * All known directives in the order in which a query walks them, the same for every block, whatever its order in the file (reference 1.8).
 * `ocp_dnsnameresolver` stands where OpenShift builds it in.
 */
export const DIRECTIVE_ORDER: readonly string[] = `
  root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind debug trace ready
  health pprof shed prometheus errors log dnstap local dns64 any chaos loadbalance tsig rewrite autopath acl ocp_dnsnameresolver cache
  header dnssec tls minimal template transfer hosts route53 azure clouddns k8s_external kubernetes file auto secondary etcd loop forward
  grpc erratic whoami on sign view nomad`
  .trim()
  .split(/\s+/)

/** Tiers of the reference (section 4): 1 in a default Corefile, 2 documented or in wide use, 3 known by name. */
export type Tier = 1 | 2 | 3

const TIER_1 =
  `errors log health ready kubernetes prometheus forward cache loop reload loadbalance hosts template bind bufsize chaos
  whoami nsid dns64 ocp_dnsnameresolver`.split(/\s+/)
const TIER_2 =
  `rewrite autopath acl k8s_external header minimal any local debug file auto root transfer secondary view metadata
  timeouts multisocket tls cancel pprof dnstap trace`.split(/\s+/)

/** Known, not had: what to say besides. */
const NOT_HAD: Readonly<Record<string, string>> = {
  dnssec: 'answers are not signed here; serve a signed zone with file',
  sign: 'zone files are not signed here; serve a signed zone with file',
  etcd: 'records in etcd are not served here',
  route53: 'zones of that service are not served here; forward to it',
  azure: 'zones of that service are not served here; forward to it',
  clouddns: 'zones of that service are not served here; forward to it',
  nomad: 'services of Nomad are not served here; forward to it',
  grpc: 'DNS over gRPC is not spoken here; forward to tls://',
  grpc_server: 'DNS over gRPC is not spoken here',
  https: 'that transport has no settings here',
  https3: 'that transport has no settings here',
  quic: 'that transport has no settings here',
  tsig: 'signatures of transactions are not checked here',
  proxyproto: 'PROXY headers are not read here',
  shed: 'queries are not shed here',
  geoip: 'no locations of addresses are known here',
  erratic: 'it is for tests',
  on: 'no commands are run here',
  secondary: 'zones are not transferred in here; serve the zone with file, or forward to its server',
  timeouts: 'the timeouts of TCP are fixed here; leave it out',
  multisocket: 'each worker has a socket of its own here; leave it out',
  tls: 'DNS over TLS is not served here',
  pprof: 'there are no profiles of Go here; leave it out',
  dnstap: 'queries are not tapped here; use log',
  trace: 'queries are not traced here; leave it out',
}

/** Gone long ago, found in old files: what replaced them. */
const REMOVED: Readonly<Record<string, string>> = {
  proxy: "it is gone; use 'forward'",
  except: "it was a property of 'proxy', which is gone; use 'forward' with its own 'except'",
  upstream: 'it is gone; names are always resolved by the server itself, leave it out',
  resyncperiod: 'it is gone, as property of kubernetes too; leave it out',
  federation: 'it is gone with federated clusters; leave it out',
  startup: 'it is gone; run the command before the server',
  shutdown: 'it is gone; run the command after the server',
}

/** The order is a table too: a name's place. */
const RANK = new Map(DIRECTIVE_ORDER.map((name, rank) => [name, rank]))

/** Several of these in one block add up, or say the same again. All others stand once. */
const REPEATABLE: ReadonlySet<string> = new Set(
  `forward rewrite template acl log bind file auto transfer header k8s_external metadata whoami minimal any debug`.split(
    ' ',
  ),
)

/** Place in the fixed order; -1 for what is no directive. */
export function rankOf(name: string): number {
  return RANK.get(name) ?? -1
}

/** @returns null for what is no directive */
export function tierOf(name: string): Tier | null {
  if (!RANK.has(name)) return null
  if (TIER_1.includes(name)) return 1
  return TIER_2.includes(name) ? 2 : 3
}

/** Whether a block may have several. */
export function isRepeatable(name: string): boolean {
  return REPEATABLE.has(name)
}

/** Whether it is had here. */
export function isHad(name: string): name is DirectiveName {
  return RANK.has(name) && !Object.hasOwn(NOT_HAD, name)
}

/**
 * Why a directive cannot stand in a block here, as the reference says it, with what to do about it.
 *
 * @returns null if it can
 */
export function complaintAbout(name: string): string | null {
  if (isHad(name)) return null
  if (RANK.has(name)) {
    return `no action found for directive '${name}' with server type 'dns' (missing a plugin?): ${NOT_HAD[name]}`
  }
  const hint = Object.hasOwn(REMOVED, name) ? REMOVED[name] : nearest(name)
  return `Unknown directive '${name}'${hint && `: ${hint}`}`
}

/** Directives that are had, in alphabetical order: what `-plugins` prints. */
export function directivesHad(): string[] {
  return DIRECTIVE_ORDER.filter(isHad).sort()
}

/** A hint for a slip of the pen: one letter wrong, missing, too much, or two in the wrong order. */
function nearest(name: string): string {
  const near = DIRECTIVE_ORDER.filter(isHad).find((known) => isSlip(name, known))
  return near === undefined ? '' : `is '${near}' meant?`
}

function isSlip(written: string, known: string): boolean {
  if (written.length < 3 || Math.abs(written.length - known.length) > 1) return false
  let same = 0
  while (same < written.length && written[same] === known[same]) same++
  const [a, b] = [written.slice(same), known.slice(same)]
  const isSwapped = a.length >= 2 && a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2)
  return a.slice(1) === b.slice(1) || a === b.slice(1) || a.slice(1) === b || isSwapped
}
