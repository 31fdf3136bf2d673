// What the parts of static data have in common: one `hosts`, one zone of `file`, one `auto`.

import { isFull, type ZoneStore } from './zone-store.ts'

/** Writes a line for the log. */
export type StaticLog = (level: 'info' | 'warning' | 'error', line: string) => void

/** What parts tell others. */
export interface StaticContext {
  readonly log: StaticLog
  /** A zone has new content, with this serial in its SOA. */
  zoneChanged(zone: string, serial: number): void
  /** There are other zones than before: workers need new sources. */
  sourcesChanged(): void
}

export interface StaticPart {
  readonly plugin: 'hosts' | 'file' | 'auto'
  /** Index in Configuration.blocks. */
  readonly block: number
  /** Time between two refreshes; 0: never. */
  readonly reloadMs: number
  /** Octets read so far: how large the index may become. */
  readonly octets: number
  /** Reads the files for the first time. @throws CorefileError for what must not be served */
  read(): Promise<void>
  /** Adds its zones to a store that is loading. @throws RegionFullError */
  attach(store: ZoneStore): void
  /** Looks whether something has changed, and publishes it. Says what is wrong in the log: never throws. */
  refresh(): Promise<void>
}

/** Says in the log that there was no room for new content. @throws any other error */
export function tellFull({ log }: StaticContext, { plugin }: StaticPart, path: string, error: unknown): void {
  if (!isFull(error)) throw error
  log('error', `plugin/${plugin}: ${path}: no room for its new content, the old one is served on: ${error.message}`)
}
