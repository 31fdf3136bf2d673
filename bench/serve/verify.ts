// Whether a server gives the right answers, asked before it is measured: a fast REFUSED is no figure.

import { createSocket, type Socket } from 'node:dgram'
import { type DecodedPacket, decode, encode } from 'dns-packet'
import type { Query } from './queries.ts'

const TRY_MS = 500

/**
 * Asks one query until it is answered rightly: how a server says that it has loaded its names.
 *
 * @param alive  whether the process is still there; when not, waiting is over
 * @returns '' when it is, otherwise what was wrong with the last answer
 */
export async function untilReady(port: number, query: Query, limitMs: number, alive: () => boolean): Promise<string> {
  const end = Date.now() + limitMs
  let wrong = 'no answer'
  while (Date.now() < end && alive()) {
    wrong = await wrongAnswers(port, [query], 1)
    if (wrong === '') return ''
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return alive() ? wrong : 'it ended'
}

/**
 * Asks queries one after another.
 *
 * @param tries  each is asked at most so often before it counts as unanswered
 * @returns '' when all answers are right, otherwise the first that is not
 */
export async function wrongAnswers(port: number, queries: readonly Query[], tries = 3): Promise<string> {
  const socket = createSocket('udp4')
  try {
    for (const query of queries) {
      const wrong = await wrongAnswer(socket, port, query, tries)
      if (wrong !== '') return `${query.qname} ${query.qtype}: ${wrong}`
    }
    return ''
  } finally {
    socket.close()
  }
}

async function wrongAnswer(socket: Socket, port: number, query: Query, tries: number): Promise<string> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const answer = await ask(socket, port, query)
    if (answer) return compare(query, answer)
  }
  return 'no answer'
}

function compare(query: Query, answer: DecodedPacket): string {
  // dns-packet keeps the RCODE in the flags, and its types do not know the name it also gives.
  const rcode = (answer.flags ?? 0) & 15
  const wantedRcode = query.rcode === 'NXDOMAIN' ? 3 : 0
  if (rcode !== wantedRcode) return `RCODE ${rcode}, not ${wantedRcode}`
  const got: string[] = []
  for (const record of answer.answers ?? []) if (record.type === query.qtype) got.push(String(record.data))
  got.sort()
  const wanted = [...query.addresses].sort()
  return got.join(' ') === wanted.join(' ') ? '' : `${got.join(' ') || 'no address'}, not ${wanted.join(' ') || 'none'}`
}

function ask(socket: Socket, port: number, query: Query): Promise<DecodedPacket | undefined> {
  const id = Math.floor(Math.random() * 65536)
  const question = [{ type: query.qtype, name: query.qname }] as const
  const packet = encode({ type: 'query', id, flags: 0x0100, questions: [...question] })
  return new Promise((resolve) => {
    const finish = (answer?: DecodedPacket) => {
      clearTimeout(timer)
      socket.off('message', onMessage)
      socket.off('error', onError)
      resolve(answer)
    }
    const onMessage = (message: Buffer) => {
      const answer = decode(message)
      if (answer.id === id) finish(answer)
    }
    const onError = () => finish()
    const timer = setTimeout(finish, TRY_MS)
    socket.on('message', onMessage)
    socket.on('error', onError)
    socket.send(packet, port, '127.0.0.1')
  })
}
