// Fields of RDATA, by type: how each is read from zone-file text and printed. RFC 1035 §5, RFC 4034, and the RFC of each type.
// Not here: records (record-text.ts), parameters of SVCB (record-text-service.ts), LOC (record-text-location.ts).

import { addressText, ipv4Value, ipv6Octets } from './record-text-address.ts'
import { base32Octets, base32Text, base64Octets, hexOctets } from './record-text-encodings.ts'
import { LOCATION } from './record-text-location.ts'
import { RecordTextError, unescaped } from './record-text-scanner.ts'
import { SERVICE_PARAMETERS } from './record-text-service.ts'
import { quotedText, type RdataReader, type RdataWriter, type TokenReader } from './record-text-tokens.ts'
import { TYPES, typeName, typeNumber } from './record-types.ts'

/** One field. */
export interface Field {
  /** Takes as many tokens as it needs. Throws RecordTextError. */
  parse(tokens: TokenReader, rdata: RdataWriter): void
  /** Appends tokens. Throws RecordTextError if the octets cannot be printed so that parse() gives them back. */
  print(rdata: RdataReader, tokens: string[]): void
}

const UINT32_MAX = 2 ** 32 - 1
const PERIOD_UNITS: Readonly<Record<string, number>> = { S: 1, M: 60, H: 3600, D: 86400, W: 604800 }

/** Seconds of a TTL or another period, `3600` or `1h30m`; -1 if it is none, or over 2^32-1. */
export function periodSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  if (!/^(?:\d{1,10}[smhdw])*(?:\d{1,10}[smhdw]?)$/i.test(text)) return -1
  let seconds = 0
  for (const [, digits, unit] of text.matchAll(/(\d+)([a-z]?)/gi)) {
    seconds += Number(digits) * (unit === '' ? 1 : PERIOD_UNITS[unit.toUpperCase()])
  }
  return seconds <= UINT32_MAX ? seconds : -1
}

const UINT8: Field = {
  parse: (tokens, rdata) => rdata.uint8(tokens.number('number', 255)),
  print: (rdata, tokens) => tokens.push(String(rdata.uint8())),
}
const UINT16: Field = {
  parse: (tokens, rdata) => rdata.uint16(tokens.number('number', 65535)),
  print: (rdata, tokens) => tokens.push(String(rdata.uint16())),
}
const UINT32: Field = {
  parse: (tokens, rdata) => rdata.uint32(tokens.number('number', UINT32_MAX)),
  print: (rdata, tokens) => tokens.push(String(rdata.uint32())),
}
const PERIOD: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('period')
    const seconds = periodSeconds(token)
    if (seconds < 0) throw new RecordTextError(`'${token}' is no period`)
    rdata.uint32(seconds)
  },
  print: UINT32.print,
}
const NAME: Field = {
  parse: (tokens, rdata) => rdata.name(tokens.next('name'), tokens.origin),
  print: (rdata, tokens) => tokens.push(rdata.name()),
}
const ADDRESS4: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('IPv4 address')
    const value = ipv4Value(token)
    if (value < 0) throw new RecordTextError(`'${token}' is no IPv4 address`)
    rdata.uint32(value)
  },
  print: (rdata, tokens) => tokens.push(addressText(rdata.octets(4))),
}
const ADDRESS6: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('IPv6 address')
    const octets = ipv6Octets(token)
    if (octets === null) throw new RecordTextError(`'${token}' is no IPv6 address`)
    rdata.octets(octets)
  },
  print: (rdata, tokens) => tokens.push(addressText(rdata.octets(16))),
}
const STRING: Field = {
  parse: (tokens, rdata) => rdata.string(tokens.next('string')),
  print: (rdata, tokens) => tokens.push(quotedText(rdata.octets(rdata.uint8()))),
}
/** One or more to the end. */
const STRINGS: Field = {
  parse(tokens, rdata) {
    do rdata.string(tokens.next('string'))
    while (tokens.more())
  },
  print(rdata, tokens) {
    do tokens.push(quotedText(rdata.octets(rdata.uint8())))
    while (rdata.left() > 0)
  },
}
/** Octets to the end, in quotes: of any length. */
const TEXT: Field = {
  parse: (tokens, rdata) => rdata.text(unescaped(tokens.next('value'))),
  print: (rdata, tokens) => tokens.push(quotedText(rdata.octets(rdata.left()))),
}
/** Tag of CAA (RFC 8659 §4.1). */
const TAG: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('tag')
    if (!/^[A-Za-z0-9]+$/.test(token)) throw new RecordTextError(`'${token}' is no tag`)
    rdata.string(token)
  },
  print(rdata, tokens) {
    const tag = Buffer.from(rdata.octets(rdata.uint8())).toString('latin1')
    if (!/^[A-Za-z0-9]+$/.test(tag)) throw new RecordTextError('no tag')
    tokens.push(tag)
  },
}
const HEX: Field = {
  parse: (tokens, rdata) => rdata.octets(hexOctets(tokens.rest('digits'))),
  print: (rdata, tokens) => tokens.push(Buffer.from(rdata.rest()).toString('hex').toUpperCase()),
}
const BASE64: Field = {
  parse: (tokens, rdata) => rdata.octets(base64Octets(tokens.rest('base64'))),
  print: (rdata, tokens) => tokens.push(Buffer.from(rdata.rest()).toString('base64')),
}
/** Salt of NSEC3: one token with its length before it, `-` for none (RFC 5155 §3.3). */
const SALT: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('salt')
    const octets = token === '-' ? new Uint8Array(0) : hexOctets(token)
    if (octets.length > 255) throw new RecordTextError('a salt of over 255 octets')
    rdata.uint8(octets.length)
    rdata.octets(octets)
  },
  print(rdata, tokens) {
    const octets = rdata.octets(rdata.uint8())
    tokens.push(octets.length === 0 ? '-' : Buffer.from(octets).toString('hex').toUpperCase())
  },
}
/** Hash of the next owner in NSEC3: base32hex without padding, its length before it (RFC 5155 §3.3). */
const HASH: Field = {
  parse(tokens, rdata) {
    const octets = base32Octets(tokens.next('hash'))
    if (octets.length > 255) throw new RecordTextError('a hash of over 255 octets')
    rdata.uint8(octets.length)
    rdata.octets(octets)
  },
  print(rdata, tokens) {
    const octets = rdata.octets(rdata.uint8())
    if (octets.length === 0) throw new RecordTextError('no hash')
    tokens.push(base32Text(octets))
  },
}
const TYPE: Field = {
  parse: (tokens, rdata) => rdata.uint16(typeOf(tokens.next('type'))),
  print: (rdata, tokens) => tokens.push(typeName(rdata.uint16())),
}
/** A bitmap of types, to the end (RFC 4034 §4.1.2). */
const TYPE_BITMAP: Field = {
  parse(tokens, rdata) {
    const windows = new Map<number, Uint8Array>()
    while (tokens.more()) {
      const type = typeOf(tokens.next('type'))
      const bits = windows.get(type >> 8) ?? new Uint8Array(32)
      bits[(type & 255) >> 3] |= 0x80 >> (type & 7)
      windows.set(type >> 8, bits)
    }
    for (const [window, bits] of [...windows].sort(([a], [b]) => a - b)) {
      const length = bits.findLastIndex((octet) => octet !== 0) + 1
      rdata.uint8(window)
      rdata.uint8(length)
      rdata.octets(bits.subarray(0, length))
    }
  },
  print(rdata, tokens) {
    for (let before = -1; rdata.left() > 0; ) {
      const window = rdata.uint8()
      const bits = rdata.octets(rdata.uint8())
      if (window <= before || bits.length === 0 || bits.length > 32 || bits[bits.length - 1] === 0) {
        throw new RecordTextError('no bitmap of types')
      }
      for (let bit = 0; bit < bits.length * 8; bit++) {
        if ((bits[bit >> 3] & (0x80 >> (bit & 7))) !== 0) tokens.push(typeName(window * 256 + bit))
      }
      before = window
    }
  },
}
/** Moment of RRSIG: YYYYMMDDHHmmSS in UTC, or seconds since 1970 (RFC 4034 §3.2). */
const MOMENT: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('time')
    const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(token)
    let seconds = /^\d{1,10}$/.test(token) ? Number(token) : -1
    if (parts !== null) {
      const [year, month, day, hour, minute, second] = parts.slice(1).map(Number)
      seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000
    }
    if (seconds < 0 || seconds > UINT32_MAX) throw new RecordTextError(`'${token}' is no time`)
    rdata.uint32(seconds)
  },
  print(rdata, tokens) {
    const text = new Date(rdata.uint32() * 1000).toISOString()
    tokens.push(text.slice(0, 19).replaceAll(/[-:T]/g, ''))
  },
}
/** Algorithm of a key (RFC 4034 §A.1): by number or mnemonic. */
const ALGORITHM: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('algorithm')
    const number = /^\d{1,3}$/.test(token) ? Number(token) : ALGORITHMS.get(token.toUpperCase())
    if (number === undefined || number > 255) throw new RecordTextError(`'${token}' is no algorithm`)
    rdata.uint8(number)
  },
  print: UINT8.print,
}
const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['RSAMD5', 1],
  ['DH', 2],
  ['DSA', 3],
  ['RSASHA1', 5],
  ['DSA-NSEC3-SHA1', 6],
  ['NSEC3DSA', 6],
  ['RSASHA1-NSEC3-SHA1', 7],
  ['NSEC3RSASHA1', 7],
  ['RSASHA256', 8],
  ['RSASHA512', 10],
  ['ECC-GOST', 12],
  ['ECDSAP256SHA256', 13],
  ['ECDSAP384SHA384', 14],
  ['ED25519', 15],
  ['ED448', 16],
  ['INDIRECT', 252],
  ['PRIVATEDNS', 253],
  ['PRIVATEOID', 254],
])
/** Type of CERT (RFC 4398 §2.1): by number or mnemonic. */
const CERTIFICATE: Field = {
  parse(tokens, rdata) {
    const token = tokens.next('certificate type')
    const number = /^\d{1,5}$/.test(token) ? Number(token) : CERTIFICATES.get(token.toUpperCase())
    if (number === undefined || number > 65535) throw new RecordTextError(`'${token}' is no certificate type`)
    rdata.uint16(number)
  },
  print: UINT16.print,
}
const CERTIFICATES: ReadonlyMap<string, number> = new Map(
  ['', 'PKIX', 'SPKI', 'PGP', 'IPKIX', 'ISPKI', 'IPGP', 'ACPKIX', 'IACPKIX'].map((name, number) => [name, number]),
)

const { uint8, uint16, uint32 } = { uint8: UINT8, uint16: UINT16, uint32: UINT32 }
const DIGEST = [uint16, ALGORITHM, uint8, HEX]
const PUBLIC_KEY = [uint16, uint8, ALGORITHM, BASE64]
const SIGNATURE = [TYPE, ALGORITHM, uint8, PERIOD, MOMENT, MOMENT, uint16, NAME, BASE64]
const ASSOCIATION = [uint8, uint8, uint8, HEX]
const SERVICE = [uint16, NAME, SERVICE_PARAMETERS]

/** Fields of each type that has a text of its own. */
export const FIELDS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [TYPES.A, [ADDRESS4]],
  [TYPES.NS, [NAME]],
  [TYPES.MD, [NAME]],
  [TYPES.MF, [NAME]],
  [TYPES.CNAME, [NAME]],
  [TYPES.SOA, [NAME, NAME, uint32, PERIOD, PERIOD, PERIOD, PERIOD]],
  [TYPES.MB, [NAME]],
  [TYPES.MG, [NAME]],
  [TYPES.MR, [NAME]],
  [TYPES.PTR, [NAME]],
  [TYPES.HINFO, [STRING, STRING]],
  [TYPES.MINFO, [NAME, NAME]],
  [TYPES.MX, [uint16, NAME]],
  [TYPES.TXT, [STRINGS]],
  [TYPES.RP, [NAME, NAME]],
  [TYPES.AFSDB, [uint16, NAME]],
  [TYPES.X25, [STRING]],
  [TYPES.ISDN, [STRINGS]],
  [TYPES.RT, [uint16, NAME]],
  [TYPES.SIG, SIGNATURE],
  [TYPES.KEY, PUBLIC_KEY],
  [TYPES.PX, [uint16, NAME, NAME]],
  [TYPES.GPOS, [STRING, STRING, STRING]],
  [TYPES.AAAA, [ADDRESS6]],
  [TYPES.LOC, [LOCATION]],
  [TYPES.SRV, [uint16, uint16, uint16, NAME]],
  [TYPES.NAPTR, [uint16, uint16, STRING, STRING, STRING, NAME]],
  [TYPES.KX, [uint16, NAME]],
  [TYPES.CERT, [CERTIFICATE, uint16, ALGORITHM, BASE64]],
  [TYPES.DNAME, [NAME]],
  [TYPES.DS, DIGEST],
  [TYPES.SSHFP, [uint8, uint8, HEX]],
  [TYPES.RRSIG, SIGNATURE],
  [TYPES.NSEC, [NAME, TYPE_BITMAP]],
  [TYPES.DNSKEY, PUBLIC_KEY],
  [TYPES.DHCID, [BASE64]],
  [TYPES.NSEC3, [uint8, uint8, uint16, SALT, HASH, TYPE_BITMAP]],
  [TYPES.NSEC3PARAM, [uint8, uint8, uint16, SALT]],
  [TYPES.TLSA, ASSOCIATION],
  [TYPES.SMIMEA, ASSOCIATION],
  [TYPES.CDS, DIGEST],
  [TYPES.CDNSKEY, PUBLIC_KEY],
  [TYPES.OPENPGPKEY, [BASE64]],
  [TYPES.CSYNC, [uint32, uint16, TYPE_BITMAP]],
  [TYPES.ZONEMD, [uint32, uint8, uint8, HEX]],
  [TYPES.SVCB, SERVICE],
  [TYPES.HTTPS, SERVICE],
  [TYPES.SPF, [STRINGS]],
  [TYPES.URI, [uint16, uint16, TEXT]],
  [TYPES.CAA, [uint8, TAG, TEXT]],
  [TYPES.AVC, [STRINGS]],
  [TYPES.RESINFO, [STRINGS]],
  [TYPES.TA, DIGEST],
  [TYPES.DLV, DIGEST],
])

function typeOf(token: string): number {
  const type = typeNumber(token)
  if (type < 0) throw new RecordTextError(`'${token}' is no type`)
  return type
}
