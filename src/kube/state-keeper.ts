// When the state is saved: soon after it is known, then at intervals that keep the disk's load small, and at the end.

import { basename } from 'node:path'
import { BusyError, type Saved, saveState } from './state-saver.ts'

const INTERVAL_MIN_MS = 5000
/** Octets a second that may be written on average. */
const RATE = 2 ** 19
const TRIES_PATIENT = 3

export class StateKeeper {
  readonly #path: string
  readonly #fingerprint: string
  readonly #saved: Saved
  readonly #log: (line: string) => void
  #isChanged = false
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> | undefined
  #nextMs = 0
  #busy = 0
  #failure = ''

  /** @param path  of the state file @param fingerprint  of the options that names depend on */
  constructor(path: string, fingerprint: string, saved: Saved, log: (line: string) => void) {
    this.#path = path
    this.#fingerprint = fingerprint
    this.#saved = saved
    this.#log = log
  }

  /** There is something new to be saved. */
  changed(): void {
    this.#isChanged = true
    if (this.#timer !== undefined || this.#saving !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#saving = this.#save().finally(() => {
          this.#saving = undefined
          if (this.#isChanged) this.changed()
        })
      },
      Math.max(0, this.#nextMs - performance.now()),
    )
    this.#timer.unref()
  }

  /** Saves what is new; nothing may change any more. */
  async close(): Promise<void> {
    await this.#saving
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isChanged) await this.#save()
    clearTimeout(this.#timer)
  }

  async #save(): Promise<void> {
    this.#isChanged = false
    try {
      await saveState(this.#path, this.#fingerprint, this.#saved, this.#busy < TRIES_PATIENT)
      this.#busy = 0
      this.#failure = ''
    } catch (error) {
      this.#isChanged = true
      // Changes that come too fast will slow down. Those that a full index refuses stay.
      if (!(error instanceof BusyError) || ++this.#busy > TRIES_PATIENT) this.#report((error as Error).message)
    }
    const pauseMs = (this.#saved.writer.stats.reservedBytes / RATE) * 1000
    this.#nextMs = performance.now() + Math.max(INTERVAL_MIN_MS, pauseMs)
  }

  #report(failure: string): void {
    if (failure === this.#failure) return
    this.#failure = failure
    this.#log(`warning: ${basename(this.#path)} cannot be saved: ${failure}`)
  }
}
