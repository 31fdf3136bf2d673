// Response codes by number and by mnemonic, extended ones included. IANA's registry as of 2025; RFC 6895 §2.3.

const NAMES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
  'DSOTYPENI',
  '',
  '',
  '',
  '',
  'BADVERS',
  'BADKEY',
  'BADTIME',
  'BADMODE',
  'BADNAME',
  'BADALG',
  'BADTRUNC',
  'BADCOOKIE',
]
const NUMBERS: ReadonlyMap<string, number> = new Map([
  ...NAMES.map((name, number) => [name, number] as const).filter(([name]) => name !== ''),
  ['NOTIMPL', 4],
  ['BADSIG', 16],
])
/** 12 bits: 4 in the header, 8 in OPT (RFC 6891 §6.1.3). */
const RCODE_MAX = 4095

/** Mnemonic of an RCODE, or `RCODE4000` where it has none. 16 is BADVERS, never BADSIG. */
export function rcodeName(rcode: number): string {
  return NAMES[rcode] || `RCODE${rcode}`
}

/** Number of an RCODE given by mnemonic in any case, as a number, or as `RCODE123`; -1 if there is no such code. */
export function rcodeNumber(text: string): number {
  const upper = text.toUpperCase()
  const known = NUMBERS.get(upper)
  if (known !== undefined) return known
  const number = /^(?:RCODE)?(\d{1,4})$/.exec(upper)
  return number !== null && Number(number[1]) <= RCODE_MAX ? Number(number[1]) : -1
}
