// Whether a run says something about the server, or about the generator and the machine it ran on. The generator counts what
// it was late with and what was dropped on its side; here stand the limits, and what to do about each. What the server did
// wrong is no reason against a run: it is what the run was for.

import { percentileMicros } from './histogram.ts'
import type { Validity } from './outcome.ts'
import { isBatched, type RunResult, type Schedule } from './run.ts'

// Late by a hundredth, the p99 from the intended time of sending on is the generator's lateness, not the server's latency;
// by a thousandth, the p99.9 is.
const LATE_MAX = 0.01
const LATE_REMARKED = 0.001
// What was never sent has no latency at all: as much as the loss that a capacity allows could hide behind it.
const UNSENT_MAX = 0.001
// The rate is to be kept to half a percent.
const RATE_MIN = 0.995
// Queries that a run may lack without its rate being wrong: the last one may be due at its very end.
const RATE_SLACK = 1
// A UDP worker never sleeps: what it lacks of its core, others had. A little always goes to the kernel's own work.
const CPU_SHARE_MIN = 0.95
// A worker that hardly ever finds nothing to do cannot say whether there was more to be had.
const IDLE_MIN = 0.03
// A tenth of the loss that a capacity allows: what the machine may lose without the server being blamed for much of it.
const MACHINE_LOSS_MAX = 0.0001
// Threads of a server that has nothing to spare use their cores to this share, packet work that is charged to others apart.
const SATURATED = 0.97
// One query in a hundred of fewer than these are less than ten, and their slowest is no percentile.
const QUERIES_FOR_P99 = 1000
// Answers that say no more than that there is none; a server that sheds load gives them fast.
const REFUSALS: readonly (readonly [rcode: number, name: string])[] = [
  [2, 'SERVFAIL'],
  [5, 'REFUSED'],
]
const REFUSALS_REMARKED = 0.001

/** What this machine lacks when a call fails so, and whether a single one says that the run was not what was asked for. */
const OWN_ERRORS: Readonly<Record<string, readonly [isAlwaysFatal: boolean, remedy: string]>> = {
  EMFILE: [true, 'allow more open files (ulimit -n) or use fewer sockets'],
  ENFILE: [true, 'allow more open files (fs.file-max) or use fewer sockets'],
  EADDRNOTAVAIL: [
    true,
    'widen net.ipv4.ip_local_port_range, use fewer sockets, or wait until old connections are forgotten',
  ],
  ENOBUFS: [false, 'offer less, or raise net.core.wmem_max and the queue of the interface'],
  ENOMEM: [false, 'use fewer sockets, or give the machine more memory'],
  EPERM: [
    false,
    'a packet filter or a full connection table (net.netfilter.nf_conntrack_max) refuses to send: change it',
  ],
}

interface Finding {
  readonly isFatal: boolean
  readonly sentence: string
}

/**
 * Judges one run by what the generator counted of itself and of its machine.
 *
 * Never throws; what was not counted (no CPU time, no drops) is not judged.
 */
export function judge(result: RunResult): Validity {
  const checks = result.sent === 0 ? [nothing, errors] : CHECKS
  const findings = checks.flatMap((check) => check(result))
  const reasons = findings.filter(({ isFatal }) => isFatal).map(({ sentence }) => sentence)
  const remarks = findings.filter(({ isFatal }) => !isFatal).map(({ sentence }) => sentence)
  return { isValid: reasons.length === 0, reasons, remarks }
}

/**
 * Whether the server's processes had nothing to spare: what they used is close to a whole number of cores. False without their
 * CPU time. A server with several threads of which not all are full is not found out.
 */
export function isServerSaturated({ serverCpuNs, seconds }: RunResult): boolean {
  if (serverCpuNs === null || seconds <= 0) return false
  const cores = serverCpuNs / 1e9 / seconds
  const whole = Math.max(1, Math.round(cores))
  // A thread's time is as old as its last tick, so that it may be a little more than there was.
  return cores >= whole * SATURATED && cores <= whole * (2 - SATURATED)
}

const CHECKS: readonly ((result: RunResult) => Finding[])[] = [
  behind,
  stolen,
  busy,
  drops,
  machineErrors,
  errors,
  refusals,
  few,
  interrupted,
]

function nothing(): Finding[] {
  return [fatal('not one query was sent')]
}

/** What was late, what was never sent, and a rate that is too low are one trouble, and are one sentence when it is too much. */
function behind(result: RunResult): Finding[] {
  const { late, unsent, sent, seconds, spec, lateness } = result
  const findings: Finding[] = []
  const p99 = Number((percentileMicros(lateness, 99) / 1000).toPrecision(2))
  const share = late / sent
  if (share > LATE_REMARKED) {
    const what = `${percent(share)} of the queries were sent more than ${spec.lateMs} ms late (p99 ${p99} ms)`
    findings.push({ isFatal: share > LATE_MAX, sentence: what })
  }
  if (unsent > 0) {
    const unsentShare = unsent / (sent + unsent)
    const what = `${unsent} (${percent(unsentShare)}) were due and never sent`
    findings.push({ isFatal: unsentShare > UNSENT_MAX, sentence: what })
  }
  const asked = queriesAsked(spec.schedule, spec.durationMs / 1000, seconds)
  if (asked !== null && sent + RATE_SLACK < asked * RATE_MIN)
    findings.push(
      fatal(`${whole(sent / seconds)} a second were sent, not ${whole(asked / seconds)} (${percent(sent / asked)})`),
    )
  if (findings.length === 0) return []
  const all = findings.map(({ sentence }) => sentence).join(', ')
  if (findings.every(({ isFatal }) => !isFatal)) return [remark(`the generator was behind at times: ${all}`)]
  return [fatal(`the generator could not keep the times: ${all}; ${remedyFor(result)}`)]
}

function remedyFor(result: RunResult): string {
  return hasOwnCores(result)
    ? 'use more workers (--workers) or another machine, or ask for less'
    : 'other programs ran on its cores: use fewer workers (--workers), or a machine that has nothing else to do'
}

/** Workers of UDP never sleep unless they are told to: what they lack of their cores, others had. Streams sleep when there is nothing to do. */
function hasOwnCores({ spec, own }: RunResult): boolean {
  const neverSleeps = isBatched(spec) && spec.sleeps !== true
  return !neverSleeps || !(Math.min(...own.cpuShares) < CPU_SHARE_MIN)
}

/** Queries that a schedule has in its first `seconds` of `all`; null where it is not made of rates. */
function queriesAsked(schedule: Schedule, all: number, seconds: number): number | null {
  if (schedule.kind === 'open') return schedule.rate * seconds
  if (schedule.kind !== 'ramp') return null
  return schedule.from * seconds + ((schedule.to - schedule.from) * seconds ** 2) / (2 * all)
}

/** Others had a worker's core. */
function stolen(result: RunResult): Finding[] {
  if (hasOwnCores(result)) return []
  const { spec, own } = result
  const share = percent(Math.min(...own.cpuShares))
  const what = `a worker had only ${share} of a core, because other programs ran there`
  // An open loop that lost time is behind, and judged by that.
  const mayTell = spec.schedule.kind !== 'closed' || isServerSaturated(result)
  if (mayTell) return [remark(`${what}: latencies may be higher than the server's`)]
  return [fatal(`${what}: use fewer workers (--workers), or a machine that has nothing else to do`)]
}

/** The generator itself had no time to spare. */
function busy(result: RunResult): Finding[] {
  const { spec, own } = result
  const share = Math.min(...own.idleShares)
  if (!(share < IDLE_MIN) || isServerSaturated(result)) return []
  const what = `a worker had nothing to do for only ${percent(share)} of the time`
  if (spec.schedule.kind !== 'closed') return [remark(`${what}: the generator is close to its own limit`)]
  const unless =
    result.serverCpuNs === null
      ? '; if the server runs here, name its processes (--pid) to see whether it was full'
      : ''
  return [
    fatal(
      `${what}: the generator was the limit, not the server; use more workers (--workers) or another machine${unless}`,
    ),
  ]
}

function drops({ own, answered }: RunResult): Finding[] {
  if (own.receiveDrops === 0) return []
  const share = own.receiveDrops / (answered + own.receiveDrops)
  const what = `${own.receiveDrops} answers (${percent(share)}) were dropped at the generator's own sockets, which were full`
  if (share <= MACHINE_LOSS_MAX) return [remark(`${what}: they count as lost`)]
  return [fatal(`${what}, and count as lost: use more sockets or more workers (--workers), or raise net.core.rmem_max`)]
}

/** What /proc/net/snmp says. It does not say whose sockets they were. */
function machineErrors({ own, sent }: RunResult): Finding[] {
  const found: Finding[] = []
  const count = (name: string) =>
    Object.entries(own.udpErrors).reduce(
      (sum, [key, value]) => (/^udp/i.test(key) && key.endsWith(name) ? sum + value : sum),
      0,
    )
  const others = count('RcvbufErrors') - own.receiveDrops
  if (others > 0) {
    found.push(
      remark(
        `${others} datagrams were dropped on this machine at full sockets of other programs: of the server, if it runs here`,
      ),
    )
  }
  for (const [name, what] of MACHINE_ERRORS) {
    const times = count(name)
    if (times === 0) continue
    const sentence = `the kernel of this machine ${what} ${times} times (${name})`
    found.push(
      times > sent * MACHINE_LOSS_MAX ? fatal(`${sentence}: no loss can be blamed on the server`) : remark(sentence),
    )
  }
  return found
}

const MACHINE_ERRORS: readonly (readonly [name: string, what: string])[] = [
  [
    'SndbufErrors',
    'had no room for a datagram that was to be sent, of whatever program (offer less, or raise net.core.wmem_max)',
  ],
  ['MemErrors', 'had no memory for a datagram, of whatever program (raise net.ipv4.udp_mem)'],
]

function errors({ errors, sent }: RunResult): Finding[] {
  return Object.entries(errors)
    .filter(([, times]) => times > 0)
    .map(([name, times]) => {
      const what = `sockets failed with ${name} ${times} times`
      const own = Object.hasOwn(OWN_ERRORS, name) ? OWN_ERRORS[name] : undefined
      if (own === undefined) return remark(what)
      const [isAlwaysFatal, remedy] = own
      const isFatal = isAlwaysFatal || times > sent * MACHINE_LOSS_MAX
      return { isFatal, sentence: `${what}: that is this machine's limit; ${remedy}` }
    })
}

function refusals({ rcodes, answered }: RunResult): Finding[] {
  return REFUSALS.filter(([rcode]) => rcodes[rcode] > answered * REFUSALS_REMARKED).map(([rcode, name]) =>
    remark(`${percent(rcodes[rcode] / answered)} of the answers are ${name}`),
  )
}

function few({ sent }: RunResult): Finding[] {
  if (sent >= QUERIES_FOR_P99) return []
  return [remark(`${sent} queries are too few for a p99: it rests on the slowest ${Math.ceil(sent / 100)} of them`)]
}

function interrupted({ interrupted, seconds, spec }: RunResult): Finding[] {
  if (!interrupted) return []
  return [remark(`it was ended after ${seconds.toFixed(1)} s of ${(spec.durationMs / 1000).toFixed(1)} s`)]
}

function fatal(sentence: string): Finding {
  return { isFatal: true, sentence }
}

function remark(sentence: string): Finding {
  return { isFatal: false, sentence }
}

/** Three digits that matter, of nearly all four, and those cut off: 0.99999 is not 100 %. */
function percent(share: number): string {
  const value = share * 100
  return `${value > 90 && value < 100 ? Math.floor(value * 100) / 100 : Number(value.toPrecision(3))} %`
}

function whole(rate: number): string {
  return String(Math.round(rate))
}
