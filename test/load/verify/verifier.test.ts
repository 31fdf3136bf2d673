// What becomes of answers: right, wrong, passing, outside, unchecked; and that a difference is asked for again before it counts.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Verification } from '../../../src/load/outcome.ts'
import { type QueryTable, QueryTableBuilder } from '../../../src/load/query-table.ts'
import type { Target } from '../../../src/load/run.ts'
import type { Sample } from '../../../src/load/session.ts'
import { questionText } from '../../../src/load/verify/answer-text.ts'
import { PacedWork } from '../../../src/load/verify/paced-work.ts'
import { ReferenceServer } from '../../../src/load/verify/reference-server.ts'
import { NoTruthError, type Truth } from '../../../src/load/verify/truth.ts'
import { Verifier, type VerifierOptions } from '../../../src/load/verify/verifier.ts'
import { answer, query, SOA, withId } from './answers.ts'
import { type Answering, SmallServer } from './small-server.ts'

const WEB = 'web.shop.svc.cluster.local. A'
const QUESTIONS = ['web A', 'db A', 'gone A', 'outside. A', 'WEB A']
/** By question, as it is written on the left. */
const RIGHT: Record<string, string> = {
  'web A': 'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
  'db A': 'NOERROR | db A 10.0.0.3',
  'gone A': `NXDOMAIN ; ${SOA}`,
  'WEB A': 'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
}
const QUICK: VerifierOptions = { recheckAfterMs: 10, rechecksPerSecond: 2000 }
/** For servers that are silent. */
const IMPATIENT: VerifierOptions = { ...QUICK, client: { timeoutMs: 50, tries: 2 } }
const open: { close(): void }[] = []

after(() => {
  for (const each of open) each.close()
})

function tableOf(questions: readonly string[]): QueryTable {
  const builder = new QueryTableBuilder()
  for (const question of questions) builder.add(query(question))
  return builder.build()
}

const TABLE = tableOf(QUESTIONS)

/** A truth out of a table; `texts` may be changed. */
function truthOf(texts: Record<string, string>): Truth {
  const byName = (wanted: string): string | undefined =>
    Object.keys(texts).find((question) => questionText(query(question)).toLowerCase() === wanted.toLowerCase())
  return {
    name: 'table',
    rules: { limitsTtls: true },
    answer: (octets) => {
      const question = byName(questionText(octets))
      return question === undefined ? null : answer(question, texts[question])
    },
  }
}

async function serverSaying(answering: Answering): Promise<SmallServer> {
  const server = await SmallServer.start(answering)
  open.push(server)
  return server
}

/** A server that is right about everything, but for what it is told to say. */
function rightBut(wrong: Record<string, string>): Answering {
  const texts = { ...RIGHT, ...wrong }
  return (name) => {
    const question = Object.keys(texts).find((each) => questionText(query(each)) === name)
    return question === undefined ? answer(name, 'REFUSED') : answer(question, texts[question])
  }
}

/** A sample of a question, with an ID of its own. */
function sample(question: string, text = RIGHT[question] ?? 'REFUSED'): Sample {
  return { index: QUESTIONS.indexOf(question), response: withId(answer(question, text), sampleCount++) }
}
let sampleCount = 1

async function verdict(
  target: Target,
  truth: Truth,
  samples: readonly Sample[],
  options: VerifierOptions = QUICK,
): Promise<Verification> {
  const verifier = new Verifier(TABLE, target, truth, options)
  await verifier.take(samples)
  return await verifier.settle()
}

function counts({ answers: _, ...rest }: Verification): Omit<Verification, 'answers'> {
  return rest
}

suite('against a table', () => {
  test('right answers, in any form, and names that the truth says nothing about', async () => {
    const server = await serverSaying(rightBut({}))
    const samples = [
      ...['web A', 'web A', 'db A', 'gone A', 'WEB A', 'outside. A'].map((question) => sample(question)),
      sample('web A', 'NOERROR aa | web 1 A 10.0.0.2 | web 1 A 10.0.0.1'),
    ]
    const verification = await verdict(server.target(), truthOf(RIGHT), samples)
    assert.deepEqual(verification, { checked: 6, wrong: 0, outside: 1, unchecked: 0, passing: 0, answers: [] })
    assert.deepEqual(server.asked, [], 'nothing was to be asked again')
  })

  test('wrong ones that stay so are listed with both sides, the most frequent first', async () => {
    const server = await serverSaying(rightBut({ 'db A': 'NOERROR | db A 10.0.0.9', 'gone A': 'NOERROR' }))
    const samples = [
      sample('gone A', 'NOERROR'),
      ...Array.from({ length: 3 }, () => sample('db A', 'NOERROR | db A 10.0.0.9')),
      sample('web A'),
    ]
    const verification = await verdict(server.target(), truthOf(RIGHT), samples)
    assert.deepEqual(counts(verification), { checked: 5, wrong: 4, outside: 0, unchecked: 0, passing: 0 })
    assert.deepEqual(verification.answers, [
      {
        question: 'db.shop.svc.cluster.local. A',
        server: server.target().label,
        truth: 'table',
        got: [';; status: NOERROR, flags: qr rd', ';; ANSWER SECTION:', 'db.shop.svc.cluster.local. 5 IN A 10.0.0.9'],
        expected: [
          ';; status: NOERROR, flags: qr rd',
          ';; ANSWER SECTION:',
          'db.shop.svc.cluster.local. 5 IN A 10.0.0.3',
        ],
        difference: 'missing: db.shop.svc.cluster.local. A 10.0.0.3; unexpected: db.shop.svc.cluster.local. A 10.0.0.9',
        times: 3,
      },
      {
        question: 'gone.shop.svc.cluster.local. A',
        server: server.target().label,
        truth: 'table',
        got: [';; status: NOERROR, flags: qr rd'],
        expected: [';; status: NXDOMAIN, flags: qr rd', ';; AUTHORITY SECTION:', SOA.replace(' SOA', ' IN SOA')],
        difference: 'NOERROR, not NXDOMAIN',
        times: 1,
      },
    ])
    assert.deepEqual(server.asked.toSorted(), [
      'db.shop.svc.cluster.local. A udp',
      'gone.shop.svc.cluster.local. A udp',
    ])
  })

  test('answers that are wrong alike are one, whatever their order, TTLs and letter case', async () => {
    const texts = [
      'web A 10.0.0.1 | web A 10.0.0.7',
      'web 3 A 10.0.0.7 | web 2 A 10.0.0.1',
      'WEB A 10.0.0.7 | web A 10.0.0.1',
    ]
    const server = await serverSaying(rightBut({ 'web A': `NOERROR | ${texts[0]}` }))
    const samples = texts.map((text, i) => sample(i === 2 ? 'WEB A' : 'web A', `NOERROR | ${text}`))
    const { wrong, answers } = await verdict(server.target(), truthOf(RIGHT), samples)
    assert.deepEqual([wrong, answers.length, answers[0].times], [3, 1, 3])
    assert.equal(server.asked.length, 1)
  })

  test('what is right when it is asked again was passing', async () => {
    const server = await serverSaying(rightBut({}))
    const samples = [sample('web A', 'NXDOMAIN'), sample('web A', 'NXDOMAIN'), sample('web A')]
    const verification = await verdict(server.target(), truthOf(RIGHT), samples)
    assert.deepEqual(verification, { checked: 3, wrong: 0, outside: 0, unchecked: 0, passing: 2, answers: [] })
    assert.equal(server.times(WEB), 1)
  })

  test('what is gone and comes back again and again is wrong', async () => {
    const server = await serverSaying(rightBut({}))
    const verifier = new Verifier(TABLE, server.target(), truthOf(RIGHT), QUICK)
    const passing: number[] = []
    for (let i = 1; i <= 5; i++) {
      await verifier.take([sample('web A', 'NXDOMAIN')])
      for (let waits = 0; waits < 200 && verifier.counts().passing < Math.min(i, 3); waits++) await sleep(5)
      passing.push(verifier.counts().passing)
    }
    const { wrong, answers } = await verifier.settle()
    assert.deepEqual(passing, [1, 2, 3, 3, 3])
    assert.equal(wrong, 2)
    assert.match(
      answers[0].difference,
      /^NXDOMAIN, not NOERROR \(gone 3 times when it was asked again, and back each time\)$/,
    )
  })

  test('a truth that has changed is asked anew, after the time that a cache may keep the answer', async () => {
    const texts = { ...RIGHT }
    const server = await serverSaying(rightBut({ 'db A': 'NOERROR | db 1 A 10.0.0.9' }))
    const refreshed: number[] = []
    const truth: Truth = {
      ...truthOf(texts),
      refresh: async () => {
        refreshed.push(performance.now())
        texts['db A'] = 'NOERROR | db A 10.0.0.9'
        return true
      },
    }
    const startedMs = performance.now()
    const samples = [sample('db A', 'NOERROR | db 1 A 10.0.0.9')]
    const verification = await verdict(server.target(), truth, samples)
    assert.deepEqual(counts(verification), { checked: 1, wrong: 0, outside: 0, unchecked: 0, passing: 1 })
    assert.equal(refreshed.length, 1)
    assert.ok(refreshed[0] - startedMs >= 1000, 'the TTL was 1')
  })

  test('an answer that the truth has come round to was right, whatever the server says by now', async () => {
    const texts = { ...RIGHT }
    const server = await serverSaying(rightBut({ 'db A': 'NXDOMAIN' }))
    const truth: Truth = {
      ...truthOf(texts),
      refresh: async () => {
        texts['db A'] = 'NOERROR | db 0 A 10.0.0.9'
        return true
      },
    }
    const verification = await verdict(server.target(), truth, [sample('db A', 'NOERROR | db 0 A 10.0.0.9')])
    assert.deepEqual(counts(verification), { checked: 1, wrong: 0, outside: 0, unchecked: 0, passing: 1 })
  })

  test('a server that does not answer again is still wrong', async () => {
    const server = await serverSaying(() => null)
    const samples = [sample('db A', 'SERVFAIL'), sample('web A', 'SERVFAIL')]
    const { wrong, answers } = await verdict(server.target(), truthOf(RIGHT), samples, IMPATIENT)
    assert.equal(wrong, 2)
    assert.equal(answers[0].difference, 'SERVFAIL, not NOERROR (no answer when it was asked again)')
    assert.equal(new Set(server.asked).size, 2)
  })

  test('under load silence says nothing: it is asked once more at the end', async () => {
    const server = await serverSaying((name, _, times, octets) =>
      times <= 2 ? null : rightBut({})(name, 'udp', times, octets),
    )
    const verifier = new Verifier(TABLE, server.target(), truthOf(RIGHT), IMPATIENT)
    await verifier.take([sample('db A', 'SERVFAIL')])
    while (server.asked.length < 2) await sleep(5)
    await sleep(100)
    assert.deepEqual([server.asked.length, verifier.counts().wrong], [2, 0])
    const { wrong, passing } = await verifier.settle()
    assert.deepEqual([wrong, passing], [0, 1])
  })

  test('what was asked for under load, and not answered until its end, is asked once more', async () => {
    const server = await serverSaying((name, _, times, octets) =>
      times <= 2 ? null : rightBut({})(name, 'udp', times, octets),
    )
    const verifier = new Verifier(TABLE, server.target(), truthOf(RIGHT), IMPATIENT)
    await verifier.take([sample('db A', 'SERVFAIL')])
    while (server.asked.length < 1) await sleep(2)
    const { wrong, passing } = await verifier.settle()
    assert.deepEqual([wrong, passing, server.asked.length], [0, 1, 3])
  })

  test('at the end a server that is silent is soon left alone', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${i} A`)
    const truth: Truth = { ...truthOf({}), answer: (octets) => answer(questionText(octets), 'NXDOMAIN') }
    const server = await serverSaying(() => null)
    const verifier = new Verifier(tableOf(names), server.target(), truth, { ...IMPATIENT, recheckAfterMs: 100 })
    await verifier.take(names.map((name, index) => ({ index, response: answer(name, 'SERVFAIL') })))
    const { wrong } = await verifier.settle()
    assert.equal(wrong, 40)
    assert.ok(server.asked.length <= 8, `asked ${server.asked.length} times`)
  })

  test('a truth that does not answer again', async () => {
    let asked = 0
    const truth: Truth = {
      ...truthOf(RIGHT),
      answer: async () => {
        if (asked++ > 0) throw new NoTruthError('gone')
        return answer('db A', RIGHT['db A'])
      },
    }
    const server = await serverSaying(rightBut({}))
    const { wrong, answers } = await verdict(server.target(), truth, [sample('db A', 'SERVFAIL')])
    assert.equal(wrong, 1)
    assert.equal(answers[0].difference, 'SERVFAIL, not NOERROR (table did not answer when it was asked again)')
    assert.deepEqual(server.asked, [])
  })

  test('over TLS nobody is asked again', async () => {
    const target: Target = { ...(await serverSaying(() => null)).target(), transport: 'tls' }
    const { wrong, answers } = await verdict(target, truthOf(RIGHT), [sample('db A', 'SERVFAIL')])
    assert.equal(wrong, 1)
    assert.equal(answers[0].difference, 'SERVFAIL, not NOERROR (not asked again)')
  })

  test('a truncated answer is right as far as it goes, and the rest is asked for over TCP', async () => {
    const whole: Record<string, string> = { 'web A': 'NOERROR | web A 10.0.0.1 | web A 10.0.0.7' }
    const server = await serverSaying((name, way) =>
      way === 'udp' ? answer(name, 'NOERROR tc') : rightBut(whole)(name, way, 1, query('web A')),
    )
    const cut = [1, 2].map(() => sample('web A', 'NOERROR tc | web A 10.0.0.2'))
    const verification = await verdict(server.target(), truthOf(RIGHT), cut)
    assert.deepEqual(counts(verification), { checked: 3, wrong: 1, outside: 0, unchecked: 0, passing: 0 })
    assert.match(verification.answers[0].difference, /^missing: .* 10\.0\.0\.2; unexpected: .* 10\.0\.0\.7$/)
    const wrongPart = await verdict(server.target(), truthOf(RIGHT), [sample('web A', 'NOERROR tc | web A 10.0.0.7')])
    assert.equal(wrongPart.wrong, 1)
    whole['web A'] = RIGHT['web A']
    assert.equal((await verdict(server.target(), truthOf(RIGHT), cut)).wrong, 0)
  })

  test('octets that are no answer, and answers to another question', async () => {
    const server = await serverSaying(() => Uint8Array.of(1))
    const responses = [new Uint8Array(0), Uint8Array.of(1, 2, 3), answer('db A', RIGHT['db A']), query('web A')]
    const samples = responses.map((response) => ({ index: 0, response }))
    const { wrong, answers } = await verdict(server.target(), truthOf(RIGHT), samples, IMPATIENT)
    assert.equal(wrong, 4)
    assert.deepEqual(answers.map(({ difference }) => difference.replace(/ \(no answer.*/, '')).toSorted(), [
      'it answers db.shop.svc.cluster.local. A, not web.shop.svc.cluster.local. A',
      'it is no response (QR is not set)',
      'the answer cannot be read: a message has 12 octets at least',
      'the answer cannot be read: a message has 12 octets at least',
    ])
  })

  test('an answer is not right because the same octets behind another question were', async () => {
    const other = answer('wxb A', 'NOERROR | wxb A 10.0.0.1 | wxb A 10.0.0.2')
    const right = sample('web A')
    assert.deepEqual(other.subarray(-32), right.response.subarray(-32))
    const server = await serverSaying(() => null)
    const { wrong } = await verdict(server.target(), truthOf(RIGHT), [right, { index: 0, response: other }], IMPATIENT)
    assert.equal(wrong, 1)
  })

  test('strictly, AA counts', async () => {
    const server = await serverSaying(rightBut({ 'web A': RIGHT['web A'].replace('NOERROR', 'NOERROR aa') }))
    const samples = [sample('web A', RIGHT['web A'].replace('NOERROR', 'NOERROR aa'))]
    assert.equal((await verdict(server.target(), truthOf(RIGHT), samples)).wrong, 0)
    assert.equal((await verdict(server.target(), truthOf(RIGHT), samples, { ...QUICK, strict: true })).wrong, 1)
  })

  test('more differences than are kept count all the same, and a bounded number is listed', async () => {
    const names = Array.from({ length: 1200 }, (_, i) => `n${i} A`)
    const truth: Truth = { ...truthOf({}), answer: (octets) => answer(questionText(octets), 'NXDOMAIN') }
    const server = await serverSaying((name) => answer(name, 'NOERROR'))
    const verifier = new Verifier(tableOf(names), server.target(), truth, QUICK)
    await verifier.take(names.map((name, index) => ({ index, response: answer(name, 'NOERROR') })))
    const verification = await verifier.settle()
    assert.deepEqual(counts(verification), { checked: 1200, wrong: 1200, outside: 0, unchecked: 0, passing: 0 })
    assert.equal(verification.answers.length, 100)
    assert.equal(server.asked.length, 1000)
  })

  test('what comes faster than it can be checked is counted, and so is what never came', async () => {
    const first = Promise.withResolvers<void>()
    const truth: Truth = {
      ...truthOf(RIGHT),
      answer: async () => await first.promise.then(() => answer('web A', RIGHT['web A'])),
    }
    const target = (await serverSaying(() => null)).target()
    const verifier = new Verifier(TABLE, target, truth, QUICK)
    const one = sample('web A')
    const batch = Array.from({ length: 8000 }, () => one)
    const taken = [verifier.take(batch), verifier.take(batch), verifier.take(batch)]
    verifier.missed(7)
    first.resolve()
    await Promise.all(taken)
    await verifier.take(batch)
    const { checked, unchecked } = await verifier.settle()
    assert.deepEqual([checked, unchecked], [24_000, 8007])
  })

  test('what is known of questions takes bounded memory: the oldest go first', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `n${i} A`)
    const long = answer('x A', `NOERROR | x TXT ${'"0123456789012345678901234567890123456789" '.repeat(1500)}`)
    const asked: string[] = []
    const truth: Truth = {
      ...truthOf({}),
      answer: (octets) => {
        asked.push(questionText(octets).split('.')[0])
        return long
      },
    }
    const target: Target = { ...(await serverSaying(() => null)).target(), transport: 'tls' }
    const verifier = new Verifier(tableOf(names), target, truth, QUICK)
    for (const index of [...names.keys(), 199, 0]) await verifier.take([{ index, response: long }])
    const { checked } = verifier.counts()
    assert.equal(checked, 202)
    assert.deepEqual([asked.length, asked.at(-1)], [201, 'n0'])
  })

  test('no truth to be had: unchecked', async () => {
    const truth: Truth = { ...truthOf(RIGHT), answer: () => Promise.reject(new NoTruthError('gone')) }
    const verification = await verdict((await serverSaying(() => null)).target(), truth, [
      sample('web A'),
      sample('db A'),
    ])
    assert.deepEqual(counts(verification), { checked: 0, wrong: 0, outside: 0, unchecked: 2, passing: 0 })
  })
})

suite('work at its own pace', () => {
  test('what is due first is done first, so much at once, and no faster than allowed', async () => {
    const work = new PacedWork(2, 30)
    const done: string[] = []
    let atOnce = 0
    let most = 0
    const piece = (name: string) => async (): Promise<void> => {
      most = Math.max(most, ++atOnce)
      await sleep(40)
      done.push(name)
      atOnce--
    }
    const startedMs = performance.now()
    work.add(startedMs + 120, piece('late'))
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) work.add(startedMs, piece(name))
    await work.done()
    assert.deepEqual([done.toSorted().join(''), done.at(-1), most], ['abcdeflate', 'late', 2])
    assert.ok(performance.now() - startedMs >= 120)
    const pausedMs = performance.now()
    for (const name of ['g', 'h', 'i', 'j']) work.add(0, piece(name))
    await work.done()
    assert.ok(performance.now() - pausedMs >= 60, 'two rounds, two pauses')
  })
})

suite('against a reference', () => {
  async function sides(
    mine: Answering,
    theirs: Answering,
    silent = {},
  ): Promise<[SmallServer, SmallServer, ReferenceServer]> {
    const [server, other] = [await serverSaying(mine), await serverSaying(theirs)]
    const reference = await ReferenceServer.start(other.target(), silent, query('probe A'))
    open.push(reference)
    other.asked.length = 0
    return [server, other, reference]
  }

  test('wrong answers are those that it answers otherwise; it is asked each question once, and once more for a difference', async () => {
    const [server, other, reference] = await sides(rightBut({ 'db A': 'NXDOMAIN' }), rightBut({}))
    const samples = ['web A', 'WEB A', 'gone A', 'outside. A', 'web A'].map((question) => sample(question))
    samples.push(sample('db A', 'NXDOMAIN'))
    // A higher TTL than that of a server that counts down.
    samples.push(sample('web A', 'NOERROR | web 300 A 10.0.0.1 | web 300 A 10.0.0.2'))
    other.answering = rightBut({ 'db A': 'NOERROR | db 0 A 10.0.0.3' })
    const verification = await verdict(server.target(), reference, samples)
    assert.deepEqual(counts(verification), { checked: 7, wrong: 1, outside: 0, unchecked: 0, passing: 0 })
    assert.equal(verification.answers[0].truth, other.target().label)
    assert.deepEqual(
      ['web', 'gone', 'outside', 'db'].map((name) => other.times(`${name}.`)),
      [1, 1, 1, 2],
    )
    assert.deepEqual(server.asked, ['db.shop.svc.cluster.local. A udp'])
  })

  test('a difference that it has come round to is passing', async () => {
    const changed = 'NOERROR | db 0 A 10.0.0.9'
    const [server, , reference] = await sides(rightBut({ 'db A': changed }), (name, way, times, octets) =>
      rightBut({ 'db A': times === 1 ? 'NOERROR | db 0 A 10.0.0.3' : changed })(name, way, times, octets),
    )
    const verification = await verdict(server.target(), reference, [sample('db A', changed)])
    assert.deepEqual(counts(verification), { checked: 1, wrong: 0, outside: 0, unchecked: 0, passing: 1 })
  })

  test('its silence leaves answers unchecked', async () => {
    const [server, , reference] = await sides(rightBut({}), (name) => (name === WEB ? null : answer(name, 'REFUSED')), {
      timeoutMs: 50,
      tries: 2,
    })
    const verification = await verdict(server.target(), reference, [sample('web A'), sample('outside. A')])
    assert.deepEqual(counts(verification), { checked: 1, wrong: 0, outside: 0, unchecked: 1, passing: 0 })
  })
})
