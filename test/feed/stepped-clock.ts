// Loaded before all else in every thread of a server under test: its wall clock is wrong by as many milliseconds as the file
// says that PEREGRINE_TEST_CLOCK names. Timers and performance.now() go on as they are, as they do when a clock is set.

import { readFileSync } from 'node:fs'

const TrueDate = Date
const file = process.env.PEREGRINE_TEST_CLOCK ?? ''

function nowMs(): number {
  return TrueDate.now() + Number(readFileSync(file, 'utf8'))
}

globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
  get: (target, name, receiver) => (name === 'now' ? nowMs : Reflect.get(target, name, receiver)),
})
