// A process that writes more than anybody reads, and ends: for log.test.ts.

import { createLineSink } from '../../src/admin/line-sink.ts'

const sink = createLineSink(1)
for (let i = 0; i < 5000; i++) sink.offer(`${'x'.repeat(999)}\n`, 1)
await sink.flush()
process.exit(sink.dropped > 0 ? 0 : 1)
