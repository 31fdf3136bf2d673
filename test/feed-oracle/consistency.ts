// What holds in every single version of the index, whatever the cluster does: answers of one batch that break it are of two
// versions. Knows names and answers, nothing of how they come about.

import { generationOf } from './cluster-model.ts'

/** An answer, as far as it is looked at: RDATA as text. */
export interface Asked {
  readonly rcode: string
  readonly answer: readonly { readonly type: string; readonly data: string }[]
  readonly additional: readonly { readonly owner: string; readonly data: string }[]
}

/** Asks within the batch. */
export type Ask = (name: string, type: string) => Asked

/** A Service, or an import, and the zone it is in. */
export interface Subject {
  readonly service: string
  readonly namespace: string
  readonly zone: string
  /** Whether addresses have PTR records to names of that zone. */
  readonly reverse: boolean
}

/** Says why the answers cannot be of one version; '' if they can. `seen` is told what kind of Service it was. */
export function contradiction(ask: Ask, subject: Subject, seen: (kind: string) => void = () => {}): string {
  const { service, namespace, zone } = subject
  const name = `${service}.${namespace}.svc.${zone}`
  const replies = ['A', 'AAAA', 'SRV', 'CNAME'].map((type) => ask(name, type))
  const [a, aaaa, srv, cname] = replies
  const namespaceCode = ask(`${namespace}.svc.${zone}`, 'A').rcode
  if (cname.answer.length > 0) {
    seen('CNAME')
    if (namespaceCode !== 'NOERROR') return `${name} exists, its namespace is ${namespaceCode}`
    // The end of the chain is another name's business.
    const first = a.answer.find(({ type }) => type === 'CNAME')
    return first === undefined || first.data === cname.answer[0].data ? '' : `${name} has two targets`
  }
  const rcodes = new Set(replies.map(({ rcode }) => rcode))
  const [rcode] = rcodes
  if (rcodes.size > 1 || !['NOERROR', 'NXDOMAIN'].includes(rcode)) return `${name} is ${[...rcodes].join(' and ')}`
  if (rcode === 'NXDOMAIN') {
    seen('missing')
    return ''
  }
  if (namespaceCode !== 'NOERROR') return `${name} exists, its namespace is ${namespaceCode}`
  if (a.answer.some(({ type }) => type === 'CNAME')) return `${name} has a CNAME and none`
  const addresses = new Set([...a.answer, ...aaaa.answer].map(({ data }) => data))
  return checkAddresses(ask, subject, name, addresses, srv, seen)
}

function checkAddresses(
  ask: Ask,
  subject: Subject,
  name: string,
  addresses: ReadonlySet<string>,
  srv: Asked,
  seen: (kind: string) => void,
): string {
  const targets = new Set(srv.answer.map(({ data }) => data.split(' ')[3]))
  if (targets.has(`${name}.`)) {
    seen('ClusterIP')
    const additional = new Set(srv.additional.map(({ data }) => data))
    if (!sameSet(additional, addresses))
      return `${name}: SRV adds ${list(additional)}, A and AAAA say ${list(addresses)}`
    return subject.reverse ? checkClusterIPs(ask, name, addresses) : ''
  }
  seen(targets.size > 1 ? 'several endpoints' : targets.size === 1 ? 'one endpoint' : 'no port')
  const all = new Set(addresses)
  for (const target of targets) {
    const own = new Set([...ask(target, 'A').answer, ...ask(target, 'AAAA').answer].map(({ data }) => data))
    const additional = srv.additional.filter(({ owner }) => owner === target).map(({ data }) => data)
    if (additional.length === 0) return `${name}: SRV names ${target} and adds no address of it`
    for (const address of additional)
      if (!own.has(address)) return `${name}: SRV adds ${target} ${address}, which it has not`
    for (const address of own) {
      all.add(address)
      if (!addresses.has(address)) return `${target} has ${address}, ${name} has not`
    }
    const foreign = ask(target, 'SRV').answer.find(({ data }) => data.split(' ')[3] !== target)
    if (foreign !== undefined) return `${target} has SRV ${foreign.data}`
  }
  return twoGenerations(all) || (subject.reverse ? checkReverse(ask, subject, addresses) : '')
}

/** All addresses of a slice change together. */
function twoGenerations(addresses: ReadonlySet<string>): string {
  const generations = new Map<number, { readonly generation: number; readonly address: string }>()
  for (const address of addresses) {
    const told = generationOf(address)
    if (told === null) continue
    const { block, generation } = told
    const known = generations.get(block)
    if (known !== undefined && known.generation !== generation)
      return `${known.address} and ${address} are of one slice`
    generations.set(block, { generation, address })
  }
  return ''
}

function checkClusterIPs(ask: Ask, name: string, addresses: ReadonlySet<string>): string {
  for (const address of addresses) {
    const targets = ask(reverseName(address), 'PTR').answer.map(({ data }) => data)
    // OKD's other names of the API server lead to it, not back.
    if (!targets.includes(`${name}.`) && !name.startsWith('openshift.default.')) {
      return `${name} has ${address}, PTR says ${targets.join(' ') || 'nothing'}`
    }
  }
  return ''
}

function checkReverse(ask: Ask, { service, namespace, zone }: Subject, addresses: ReadonlySet<string>): string {
  const ending = `.${service}.${namespace}.svc.${zone}.`
  for (const address of addresses) {
    const targets = ask(reverseName(address), 'PTR').answer.map(({ data }) => data)
    if (targets.length === 0) return `${service}.${namespace} has ${address}, which has no PTR`
    for (const target of targets.filter((each) => each.endsWith(ending))) {
      const type = address.includes(':') ? 'AAAA' : 'A'
      if (!ask(target, type).answer.some(({ data }) => data === address))
        return `PTR of ${address} is ${target}, which has it not`
    }
  }
  return ''
}

function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const [head, tail = ''] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const zeros = address.includes('::') ? 8 - groups(head).length - groups(tail).length : 0
  const all = [...groups(head), ...Array<string>(zeros).fill('0'), ...groups(tail)]
  const digits = all.map((group) => group.padStart(4, '0')).join('')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((each) => b.has(each))
}

function list(set: ReadonlySet<string>): string {
  return [...set].sort().join(' ') || 'nothing'
}
