// What a zone answers, in the words of RFC 1034 §4.3.2 and with no thought of speed: from the apex down, over a list of records.
// Lines as askText() has them. TTLs are 300, MINIMUM of the SOA is 60; everything is in lower case.

export interface PlainRecord {
  /** Leftmost label first, without the zone. */
  readonly owner: readonly string[]
  readonly type: 'A' | 'AAAA' | 'NS' | 'CNAME' | 'DNAME' | 'SRV' | 'TXT' | 'DS' | 'SOA'
  /** As askText() prints it. */
  readonly data: string
  /** Labels of the name in RDATA, without the zone; null: there is none, or it is not in the zone. */
  readonly target: readonly string[] | null
}

const LINKS_MAX = 11

/** Lines of the answer to a query for `qname` (labels without the zone). */
export function plainAnswer(zone: string, records: readonly PlainRecord[], qname: readonly string[], type: string) {
  const text = (labels: readonly string[]) => [...labels, zone].join('.')
  const at = (labels: readonly string[], type: string) =>
    records.filter((each) => text(each.owner) === text(labels) && each.type === type)
  const exists = (labels: readonly string[]) =>
    records.some(({ owner }) => text(owner.slice(Math.max(owner.length - labels.length, 0))) === text(labels))
  const line = (owner: readonly string[], { type, data }: PlainRecord, ttl = 300) =>
    `${text(owner)} ${ttl} IN ${type === 'DNAME' ? 'TYPE39' : type} ${data}`
  const answer: string[] = []
  const authority: string[] = []
  const additional: string[] = []
  const addresses = (rrset: readonly PlainRecord[]) => {
    const targets = new Set(rrset.flatMap(({ target }) => (target === null ? [] : [text(target)])))
    for (const name of targets) {
      for (const type of ['A', 'AAAA']) {
        const owned = records.filter((each) => text(each.owner) === name && each.type === type)
        additional.push(...owned.map((each) => `+ ${line(each.owner, each)}`))
      }
    }
  }
  const end = (head: string) => [head, ...answer, ...authority, ...additional]
  const negative = (rcode: string) => {
    authority.push(`~ ${line([], at([], 'SOA')[0], 60)}`)
    return end(`${rcode} AA`)
  }
  const visited = new Set<string>()
  let name = qname
  walk: for (let link = 0; ; link++) {
    visited.add(text(name))
    let source = name
    for (let depth = 0; depth <= name.length; depth++) {
      const node = name.slice(name.length - depth)
      const isLast = depth === name.length
      const ns = depth === 0 ? [] : at(node, 'NS')
      if (ns.length > 0 && !(isLast && type === 'DS')) {
        authority.push(...ns.map((each) => `~ ${line(node, each)}`))
        addresses(ns)
        return end(link > 0 ? 'NOERROR AA' : 'NOERROR')
      }
      if (isLast) break
      const dname = at(node, 'DNAME')[0]
      if (dname !== undefined && ns.length === 0) {
        answer.push(...at(node, 'DNAME').map((each) => line(node, each)))
        const left = name.slice(0, name.length - depth)
        const target = dname.target === null ? null : [...left, ...dname.target]
        answer.push(`${text(name)} 300 IN CNAME ${target === null ? [...left, 'out.'].join('.') : text(target)}`)
        if (type === 'CNAME' || target === null || visited.has(text(target)) || link === LINKS_MAX)
          return end('NOERROR AA')
        name = target
        continue walk
      }
      if (exists(name.slice(name.length - depth - 1))) continue
      source = ['*', ...node]
      if (!exists(source)) return negative('NXDOMAIN')
      break
    }
    const found = at(source, type)
    answer.push(...found.map((each) => line(name, each)))
    if (found.length > 0) {
      if (type === 'NS' || type === 'SRV') addresses(found)
      return end('NOERROR AA')
    }
    const cname = at(source, 'CNAME')
    if (cname.length === 0 || type === 'CNAME') return negative('NOERROR')
    answer.push(...cname.map((each) => line(name, each)))
    const { target } = cname[0]
    if (target === null || visited.has(text(target)) || link === LINKS_MAX) return end('NOERROR AA')
    name = target
  }
}
