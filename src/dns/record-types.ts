// Record types and classes by number and by mnemonic. IANA's registry as of 2025; RFC 3597 §5 for those without a mnemonic.
// Not here: what their RDATA looks like (message-rdata.ts, record-text-fields.ts).

/** Numbers of the types that code names. */
export const TYPES = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  'NSAP-PTR': 23,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  EID: 31,
  NIMLOC: 32,
  SRV: 33,
  ATMA: 34,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  A6: 38,
  DNAME: 39,
  SINK: 40,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  NINFO: 56,
  RKEY: 57,
  TALINK: 58,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  SPF: 99,
  UINFO: 100,
  UID: 101,
  GID: 102,
  UNSPEC: 103,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
  DOA: 259,
  AMTRELAY: 260,
  RESINFO: 261,
  WALLET: 262,
  TA: 32768,
  DLV: 32769,
} as const

/** Numbers of the classes. */
export const CLASSES = { IN: 1, CS: 2, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const

const TYPE_NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(TYPES))
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TYPES).map(([name, number]) => [number, name]))
const CLASS_NUMBERS: ReadonlyMap<string, number> = new Map([
  ...Object.entries(CLASSES),
  ['INET', 1],
  ['CHAOS', 3],
  ['HESIOD', 4],
])
const CLASS_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(CLASSES).map(([name, number]) => [number, name]),
)
const NUMBER_MAX = 65535

/** Mnemonic of a type, or `TYPE4711` (RFC 3597 §5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`
}

/** Number of a type given by mnemonic or as `TYPE123`, in any case; -1 if there is no such type. */
export function typeNumber(text: string): number {
  return numberOf(text, TYPE_NUMBERS, 'TYPE')
}

/** Mnemonic of a class, or `CLASS4711` (RFC 3597 §5). */
export function className(number: number): string {
  return CLASS_NAMES.get(number) ?? `CLASS${number}`
}

/** Number of a class given by mnemonic or as `CLASS123`, in any case; -1 if there is no such class. */
export function classNumber(text: string): number {
  return numberOf(text, CLASS_NUMBERS, 'CLASS')
}

function numberOf(text: string, known: ReadonlyMap<string, number>, prefix: string): number {
  const number = known.get(text) ?? known.get(text.toUpperCase())
  if (number !== undefined) return number
  if (text.length <= prefix.length || text.slice(0, prefix.length).toUpperCase() !== prefix) return -1
  const digits = text.slice(prefix.length)
  return /^\d{1,5}$/.test(digits) && Number(digits) <= NUMBER_MAX ? Number(digits) : -1
}
