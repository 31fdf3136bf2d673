// A zone's master file with all that it includes: looked at by path, read where something looks changed.
// Not here: what the text means (dns/zone-file.ts), what becomes of it (file-zone.ts).

import { readFileSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { readZoneFile, type ZoneFile, ZoneFileError } from '../dns/zone-file.ts'
import { stampOf } from './watched-file.ts'

/** What a look at a zone's files found. */
export type ZoneLook =
  /** Nothing looks changed. */
  | { readonly kind: 'same' }
  | { readonly kind: 'read'; readonly zone: ZoneFile; readonly octets: number }
  /** The file is not there, or cannot be read. */
  | { readonly kind: 'missing'; readonly reason: string }
  /** It is no zone. */
  | { readonly kind: 'bad'; readonly reason: string }

const UNREADABLE = 'unreadable'

export class ZoneSource {
  readonly path: string
  readonly #origin: string
  /** Of the files that were read last. */
  #stamps = new Map<string, string>()

  /** @param origin  the zone, absolute */
  constructor(path: string, origin: string) {
    this.path = path
    this.#origin = origin
  }

  /** Never throws. Reads, and parses, without letting others run: the zone is of one moment. */
  async look(): Promise<ZoneLook> {
    if (this.#stamps.size > 0 && (await this.#isUnchanged())) return { kind: 'same' }
    const stamps = new Map<string, string>()
    let octets = 0
    const read = (path: string): string => {
      stamps.set(path, UNREADABLE)
      stamps.set(path, stampOf(statSync(path)))
      const text = readFileSync(path, 'utf8')
      octets += text.length
      return text
    }
    try {
      const zone = readZoneFile(this.path, this.#origin, read)
      return { kind: 'read', zone, octets }
    } catch (error) {
      const reason = (error as Error).message
      // An error of the file itself is none of the zone.
      return error instanceof ZoneFileError ? { kind: 'bad', reason } : { kind: 'missing', reason }
    } finally {
      this.#stamps = stamps
    }
  }

  async #isUnchanged(): Promise<boolean> {
    for (const [path, stamp] of this.#stamps) {
      const now = await stat(path).then(stampOf, () => UNREADABLE)
      if (now !== stamp) return false
    }
    return true
  }
}
