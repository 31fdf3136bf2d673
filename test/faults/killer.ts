// Loaded into a real server with `--import`: has its threads die over certain names. Nothing else in the server changes.
//
// `HOW.WHEN.TIMES.ANYTHING.fault.example`  HOW: exit, throw, hang   WHEN: ask (the resolver would ask it), reply (the resolver has the reply), look (a worker
// looks for it in its cache)
// TIMES: once (each name, over all threads), always

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { HEADER_LENGTH } from '../../src/dns/question.ts'
import { ForwardStage } from '../../src/forward/forward-stage.ts'
import { Forwarder } from '../../src/forward/forwarder.ts'

/** Environment that starts `bin/peregrine` with this in it. @param folder  to remember in what has happened */
export function killerEnvironment(folder: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${import.meta.filename}`, PEREGRINE_FAULTS_FOLDER: folder }
}

function labelsOf(question: Uint8Array): string[] {
  const labels: string[] = []
  for (let at = 0; question[at] !== 0; at += question[at] + 1)
    labels.push(Buffer.from(question.subarray(at + 1, at + 1 + question[at])).toString('latin1'))
  return labels
}

function strike(labels: readonly string[], when: string): void {
  const [how, due, times, ...rest] = labels
  if (due !== when || !rest.join('.').endsWith('fault.example')) return
  const flag = join(process.env.PEREGRINE_FAULTS_FOLDER!, `struck.${labels.join('.')}`)
  if (times === 'once' && existsSync(flag)) return
  writeFileSync(flag, '')
  if (how === 'exit') process.exit(3)
  if (how === 'hang') for (;;);
  if (how === 'throw') throw new Error('told to throw')
}

if (!isMainThread && process.env.PEREGRINE_FAULTS_FOLDER !== undefined) {
  const { ask } = Forwarder.prototype
  Forwarder.prototype.ask = function (query, done) {
    const labels = labelsOf(query.question)
    strike(labels, 'ask')
    return ask.call(this, query, (outcome) => {
      strike(labels, 'reply')
      done(outcome)
    })
  }
  const { answer } = ForwardStage.prototype
  ForwardStage.prototype.answer = function (query, packet, start, response): number {
    strike(labelsOf(packet.subarray(start + HEADER_LENGTH)), 'look')
    return answer.call(this, query, packet, start, response)
  }
}
