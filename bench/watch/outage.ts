// The API server goes and comes back: how soon it is followed again. And a connection that dies without a word: how soon that is noticed.

import { setTimeout as sleep } from 'node:timers/promises'
import { KubeconfigFolder } from '../../test/apiserver/kubeconfig.ts'
import { startRelay } from '../../test/apiserver/relay.ts'
import { wallMs } from './api-server.ts'
import { type Bench, READY_MS } from './bench.ts'
import { Probes } from './load.ts'
import { atMost } from './report.ts'
import type { ServerProcess } from './server.ts'

const OUTAGE = 'outage'
const HALF_OPEN = 'half-open'
const AWAY_MS = 3000
const TIMES = 3
const LIMIT_MS = 60_000
const CHECK_MS = 5

/** The watches can be resumed: another API server has what this one had. One that cannot is a relist (relist.ts). */
export async function measureOutage(bench: Bench, server: ServerProcess): Promise<void> {
  if (!bench.wants(OUTAGE)) return
  const { api, figures } = bench
  const served: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const probes = new Probes(server.port, LIMIT_MS)
    api.onChange = (report) => probes.follow(report)
    await api.send({ do: 'stop' })
    await sleep(AWAY_MS)
    await api.send({ do: 'change', service: i })
    const { atMs: backMs } = await api.send({ do: 'start' })
    const [{ answeredMs }] = await probes.settled()
    served.push((answeredMs - backMs) / 1000)
    await probes.close()
  }
  figures.add(OUTAGE, `a change made in an outage of ${AWAY_MS / 1000} s is served after`, 's', served, atMost(1))
}

/** The relay carries nothing any more, and closes nothing. */
export async function measureHalfOpen(bench: Bench): Promise<void> {
  if (!bench.wants(HALF_OPEN)) return
  const { api, figures } = bench
  const relay = await startRelay(api.port)
  const folder = new KubeconfigFolder()
  try {
    const server = await bench.startServer({ kubeconfig: folder.writeSimple(relay.url) })
    await server.ready(READY_MS)
    const found = { detected: [] as number[], served: [] as number[] }
    for (let i = 0; i < TIMES; i++) {
      const probes = new Probes(server.port, LIMIT_MS)
      api.onChange = (report) => probes.follow(report)
      const connections = relay.connectionCount
      const frozenMs = performance.now()
      relay.freeze()
      await api.send({ do: 'change', service: 10 + i })
      // It opens another connection.
      while (relay.connectionCount === connections && performance.now() - frozenMs < LIMIT_MS) await sleep(CHECK_MS)
      found.detected.push((performance.now() - frozenMs) / 1000)
      relay.thaw()
      const thawedMs = wallMs()
      const [{ answeredMs }] = await probes.settled()
      found.served.push((answeredMs - thawedMs) / 1000)
      await probes.close()
    }
    figures.add(HALF_OPEN, 'noticed after', 's', found.detected, atMost(10))
    figures.add(HALF_OPEN, 'a change made meanwhile is served, once all is carried again, after', 's', found.served)
    await server.stop()
  } finally {
    folder.remove()
    await relay.close()
  }
}
