// Forged answers from the upstream's own address and port, against one query that waits. How many: PEREGRINE_FORGERIES (200,000); by hand spoof.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insideNamespace } from '../server/namespace.ts'
import { spoof } from './spoof.ts'

const FORGERIES = Number(process.env.PEREGRINE_FORGERIES ?? 200_000)
const KNOWN = 20_000
const SECONDS = 60

// Forgeries reach whatever is open on 127.0.0.1: not the sockets of other tests.
if (insideNamespace(import.meta.filename, { addresses: ['192.0.2.53/24'] })) {
  test(`${FORGERIES} forged answers to ports and with ids by lot: none is taken`, async (context) => {
    const result = await spoof({ forgeries: FORGERIES, knowsPorts: false, randomizeCase: false, seconds: SECONDS })
    context.diagnostic(JSON.stringify(result))
    assert.equal(result.sent, FORGERIES)
    assert.equal(result.forged, 0)
    assert.ok(result.isControlTaken, 'a forgery with everything right is taken')
  })

  test('the forger knows the ports: they are given up, then TCP; letter case is left to be guessed', async (context) => {
    const result = await spoof({ forgeries: KNOWN, knowsPorts: true, randomizeCase: true, seconds: SECONDS })
    context.diagnostic(JSON.stringify(result))
    assert.equal(result.forged, 0)
    assert.ok(result.openPorts >= 2, 'ports were given up')
    assert.ok(result.honest > 0, 'answers came over TCP')
    assert.ok(result.isControlTaken, 'a forgery with everything right is taken')
  })
}
