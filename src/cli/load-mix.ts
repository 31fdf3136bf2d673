// The flags of `load` that say what the built-in mix of queries is, and how large a made-up cluster.

import { DEFAULT_MIX, type MixOptions } from '../load/queries/mix-options.ts'
import { type ClusterSize, clusterOfSize } from '../load/queries/synthetic-cluster.ts'
import { FlagError, type FlagName, type Flags } from './flags.ts'

const SHARES: readonly (readonly [FlagName, keyof MixOptions])[] = [
  ['nxdomain-share', 'nxdomainShare'],
  ['external-share', 'externalShare'],
  ['srv-share', 'srvShare'],
  ['ptr-share', 'ptrShare'],
  ['single-a-share', 'singleAShare'],
]
/** What a file, or a capture, says itself. */
const OF_CLUSTERS: readonly FlagName[] = [
  ...SHARES.map(([name]) => name),
  ...(['count', 'distribution', 'zipf-exponent', 'external-names', 'pairs', 'clients'] as const),
]
const ENDPOINTS_A_SERVICE = 10
/** What a datagram should not exceed (DNS flag day 2020). */
const EDNS_SIZE = 1232
const ZIPF_EXPONENT_MAX = 4

/** All but the names of --external-names, which are in a file. @throws FlagError for a share that is none, shares that are more than everything, and flags of a mix where there is none */
export function mixFromFlags(flags: Flags): MixOptions {
  const source = (['queries', 'pcap'] as const).find((name) => flags.has(name))
  const misplaced = OF_CLUSTERS.find((name) => flags.has(name))
  if (source !== undefined && misplaced !== undefined) {
    throw new FlagError(`flag --${misplaced} is for the names of a cluster, not for --${source}`)
  }
  const distribution = flags.text('distribution', DEFAULT_MIX.distribution) as MixOptions['distribution']
  if (distribution === 'uniform' && flags.has('zipf-exponent')) {
    throw new FlagError('flag --zipf-exponent needs --distribution zipf')
  }
  const zipfExponent = flags.number('zipf-exponent', DEFAULT_MIX.zipfExponent)
  if (zipfExponent > ZIPF_EXPONENT_MAX) {
    throw new FlagError(`flag --zipf-exponent is a number from 0 to ${ZIPF_EXPONENT_MAX}, not '${zipfExponent}'`)
  }
  const hasEdns = flags.has('edns') || flags.has('dnssec')
  return {
    ...DEFAULT_MIX,
    ...sharesFromFlags(flags),
    seed: flags.number('seed', DEFAULT_MIX.seed),
    count: flags.number('count', DEFAULT_MIX.count),
    distribution,
    zipfExponent,
    pairs: flags.isOn('pairs', DEFAULT_MIX.pairs),
    clients: flags.number('clients', DEFAULT_MIX.clients),
    caseRandomisation: flags.has('case-randomization'),
    edns: hasEdns ? { udpSize: flags.number('edns', EDNS_SIZE), dnssecOk: flags.has('dnssec') } : DEFAULT_MIX.edns,
  }
}

/** Of --services and --endpoints. */
export function clusterSize(flags: Flags): ClusterSize {
  const services = flags.number('services', 0)
  return clusterOfSize(services, flags.number('endpoints', services * ENDPOINTS_A_SERVICE))
}

function sharesFromFlags(flags: Flags): Partial<MixOptions> {
  const shares: Record<string, number> = {}
  let sum = 0
  for (const [name, option] of SHARES) {
    shares[option] = flags.has(name) ? shareOf(name, flags.text(name, '')) : (DEFAULT_MIX[option] as number)
    // Single A queries are some of all these, not one more kind.
    if (option !== 'singleAShare') sum += shares[option]
  }
  if (sum > 1 + Number.EPSILON * SHARES.length) {
    const summed = SHARES.filter(([, option]) => option !== 'singleAShare')
    const texts = summed.map(([name, option]) => `--${name} ${shares[option]}`)
    throw new FlagError(`shares of more than all queries: ${texts.join(', ')}`)
  }
  return shares
}

/** `0.6`, `60%`. */
function shareOf(name: FlagName, text: string): number {
  const isNumber = /^(?:\d{1,3}(?:\.\d*)?|\.\d+)%?$/.test(text)
  const value = Number.parseFloat(text) / (text.endsWith('%') ? 100 : 1)
  if (!isNumber || value > 1) throw new FlagError(`flag --${name} is a share from 0 to 1, or 0% to 100%, not '${text}'`)
  return value
}
