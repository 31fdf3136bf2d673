// The page in a real Chromium: it asks nobody for anything, draws every plot, can be read wide and narrow, light and dark,
// and what comes from outside is text in it. With SCREENSHOTS=FOLDER pictures of all of it are left there, to be looked at.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { inflateSync } from 'node:zlib'
import type { CapacityOutcome, ComparisonOutcome, Report } from '../../../src/load/outcome.ts'
import { htmlReport } from '../../../src/load/report/html-report.ts'
import { Browser, NO_BROWSER, type Written } from './browser.ts'
import {
  aReport,
  aRun,
  aSpec,
  aTarget,
  aVerification,
  capacityReport,
  comparisonReport,
  judged,
  runReport,
  STEADY,
} from './results.ts'

const INVALID = { isValid: false, reasons: ['0.4 % of the queries were sent late.'], remarks: ['The clock is coarse.'] }

function invalidReport(): Report {
  const report = runReport({
    bounds: { maxLoss: 0.001, maxP99Micros: 5000 },
    broken: ['Loss is 0.103 %, above 0.1 %.'],
  })
  return { ...report, outcome: { ...report.outcome, validity: INVALID } }
}

/** Name, page, plots that it has. */
const PAGES: readonly (readonly [name: string, html: string, plots: string[]])[] = [
  ['run', htmlReport(runReport()), ['percentiles', 'latency-over-time', 'rate-over-time', 'losses-over-time']],
  ['invalid', htmlReport(invalidReport()), ['percentiles', 'latency-over-time', 'rate-over-time', 'losses-over-time']],
  [
    'capacity',
    htmlReport(capacityReport()),
    ['search-order', 'search-latency', 'search-loss', 'percentiles', 'latency-over-time', 'rate-over-time'],
  ],
  [
    'comparison',
    htmlReport(comparisonReport()),
    ['compare-qps', 'compare-p50', 'compare-p99', 'compare-loss', 'compare-cpu', 'rounds', 'percentiles'],
  ],
]

/** How many colours the canvas of a plot has, and of those asked for, how many of its pixels have them. */
interface Drawing {
  readonly id: string
  readonly colours: number
  readonly pixels: Readonly<Record<string, number>>
  readonly texts: readonly Written[]
  readonly right: number
}

const DRAWINGS = `[...document.querySelectorAll('.plot')].map((plot) => {
  const canvas = plot.querySelector('canvas')
  // Off a copy, since reading changes how a canvas is drawn.
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
  copy.drawImage(canvas, 0, 0)
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height)
  const counts = new Map()
  for (const pixel of new Uint32Array(data.buffer)) if (pixel >>> 24 === 255) counts.set(pixel, (counts.get(pixel) ?? 0) + 1)
  const style = getComputedStyle(document.documentElement)
  const names = ['text', 'grid', 'good', 'bad', 'soft', ...[1, 2, 3, 4, 5, 6].map((index) => 'series-' + index)]
  // A word is alpha, blue, green, red.
  const word = (colour) => (parseInt('ff' + colour.slice(5, 7) + colour.slice(3, 5) + colour.slice(1, 3), 16)) >>> 0
  const pixels = Object.fromEntries(names.map((name) => [name, counts.get(word(style.getPropertyValue('--' + name).trim())) ?? 0]))
  const { right } = plot.querySelector('.uplot').getBoundingClientRect()
  return { id: plot.id.replace('plot-', ''), colours: counts.size, pixels, texts: textsOf(canvas), right }
})`
/** The first colour of plots, as page.css has it. */
const SERIES_1 = { light: '#0067b1', dark: '#62b5f5' }
const VIEWS = [
  [1180, 'light'],
  [1180, 'dark'],
  [700, 'light'],
  [360, 'dark'],
] as const
const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
const TEXT = 'document.body.innerText'

describe('the page of a report in Chromium', { skip: NO_BROWSER }, () => {
  let browser: Browser
  before(async () => {
    browser = await Browser.start()
  })
  after(() => browser?.close())
  afterEach(() => {
    assert.deepEqual(browser.complaints.splice(0), [])
  })

  const drawings = (): Promise<Drawing[]> => browser.ask<Drawing[]>(DRAWINGS)

  for (const [name, html, plots] of PAGES) {
    for (const [width, scheme] of VIEWS) {
      test(`${name}, ${width} pixels wide, ${scheme}: every plot is drawn, nothing is cut off, no text lies on another`, async () => {
        await browser.open(html, width, scheme)
        assert.equal(await browser.ask(OVERFLOW), 0)
        const drawn = await drawings()
        assert.deepEqual(drawn.map(({ id }) => id).sort(), [...plots].sort())
        for (const { id, colours, pixels, texts, right } of drawn) {
          assert.ok(colours > 10, `${id} has ${colours} colours`)
          assert.ok(pixels.text > 20 && pixels.grid > 100, `${id} has text and a grid`)
          for (const colour of coloursOf(id, name)) assert.ok(pixels[colour] > 20, `${id} has a line in ${colour}`)
          assert.ok(right <= width, `${id} ends at ${right}`)
          assert.ok(texts.length > 4, `${id} has labels`)
          assert.deepEqual(overlaps(texts), [], id)
          for (const { text, left } of texts) assert.ok(left >= 0, `${id}: ${text} begins at ${left}`)
        }
        await picture(browser, `${name}-${width}-${scheme}`)
      })
    }
  }

  const said: [name: string, texts: (string | RegExp)[]][] = [
    [
      'run',
      [
        'Load on 127.0.0.1:5353 over UDP',
        /Valid, with wrong answers/,
        /Lost\s+0\.103 %\s+1,541 queries/,
        /Latency p99\s+62\.1 ms\s+raw 268 µs/,
        /corrected\s+95 µs\s+162 µs\s+62\.1 ms\s+2\.00 s\s+2\.00 s/,
        /SERVFAIL\s+140\s+0\.00934 %/,
        /Truncated\s+21 answers with TC set/,
        /web\.shop\.svc\.cluster\.local\. A\s+another address, 310 times/,
        /Got, from 127\.0\.0\.1:5353\s+NOERROR\s+−\sweb\.shop\.svc\.cluster\.local\. 5 IN A 10\.96\.12\.7/,
        /Expected, by manifests\s+NOERROR\s+\+\sweb\.shop\.svc\.cluster\.local\. 5 IN A 10\.96\.0\.7/,
        'peregrine load --server 127.0.0.1:5353 --rate 50000 --duration 30s',
        'AMD EPYC 7B13',
      ],
    ],
    ['invalid', [/INVALID RESULT/, INVALID.reasons[0], INVALID.remarks[0], 'Loss is 0.103 %, above 0.1 %.']],
    [
      'capacity',
      [
        /Capacity\s+190,000\s+queries a second/,
        /3 of 3/,
        /12 confirm\s+190,000\s+190,000\s+0 %\s.*✓ within bounds/,
        /8 bisect\s+200,000\s.*✕ out of bounds/,
        'No query was lost.',
      ],
    ],
    [
      'comparison',
      [
        'Comparison of 3 servers',
        /C coredns\.kube-system\.example:53 over UDP/,
        /In proportion to A 127\.0\.0\.1:5301 over UDP/,
        /2\.27×\s+2\.23× … 2\.42×/,
        /4 B\s.*INVALID 0\.4 % of the queries were sent late/,
        /Answers by RCODE/,
      ],
    ],
  ]
  for (const [name, texts] of said) {
    test(`${name}: what it says`, async () => {
      await browser.open(PAGES.find(([page]) => page === name)?.[1] ?? '')
      const text = await browser.ask<string>(TEXT)
      for (const each of texts) {
        if (typeof each === 'string') assert.ok(text.includes(each), `says ${each}`)
        else assert.match(text, each)
      }
    })
  }

  test('plots: ticks of percentiles, marks of bounds and of the capacity, names and medians of servers', async () => {
    const written = async (html: string): Promise<Map<string, string[]>> => {
      await browser.open(html)
      return new Map((await drawings()).map(({ id, texts }) => [id, texts.map(({ text }) => text)]))
    }
    const capacity = await written(PAGES[2][1])
    for (const tick of ['0 %', '90 %', '99 %', '99.9 %', '99.99 %', '1 ms', 'p99 at most 5 ms']) {
      assert.ok(capacity.get('percentiles')?.includes(tick), `percentiles: ${tick}`)
    }
    for (const id of ['search-order', 'search-latency', 'search-loss']) {
      assert.ok(capacity.get(id)?.includes('capacity 190,000'), id)
    }
    assert.ok(capacity.get('search-loss')?.includes('at most 0.1 %'))
    assert.ok(capacity.get('latency-over-time')?.includes('counted from here'))
    const comparison = await written(PAGES[3][1])
    assert.ok(comparison.get('compare-p50')?.includes('B 127.0.0.1:5302: 222 µs'))
    assert.ok(comparison.get('compare-loss')?.some((text) => /^C coredns\S+: 1\.\d+ %$/.test(text)))
  })

  test('light and dark differ, and print is light', async () => {
    const background = 'getComputedStyle(document.body).backgroundColor'
    await browser.open(PAGES[0][1], 1180, 'light')
    const light = await browser.ask<string>(background)
    await browser.page.emulateMedia({ colorScheme: 'dark' })
    assert.notEqual(await browser.ask<string>(background), light)
    const colour = `getComputedStyle(document.documentElement).getPropertyValue('--series-1').trim()`
    assert.equal(await browser.ask(colour), SERIES_1.dark)
    await inColoursOfNow()
    await browser.page.setViewportSize({ width: 720, height: 1000 })
    await browser.page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    assert.equal(await browser.ask<string>(background), 'rgb(255, 255, 255)')
    for (const { id, right } of await inColoursOfNow()) assert.ok(right <= 720, `${id} ends at ${right} on paper`)
    assert.equal(await browser.ask(OVERFLOW), 0)
    await picture(browser, 'print')
    await browser.page.emulateMedia({ media: null })
    await inColoursOfNow()
    // Print as it really is: there, nothing runs but what is told of the paper.
    const colours = pdfColours(await browser.page.pdf({ format: 'A4' }))
    assert.ok(colours.has(SERIES_1.light) && !colours.has(SERIES_1.dark), [...colours].join(' '))
  })

  // A page hears of another scheme, paper or width with its next frame.
  const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (let turn = 0; !(await holds()); turn++) {
      assert.ok(turn < 100, what)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const inColoursOfNow = async (): Promise<Drawing[]> => {
    await eventually('plots are drawn in the colours that hold now', async () =>
      (await drawings()).every(({ pixels }) => pixels.text > 20 && pixels.grid > 100),
    )
    return drawings()
  }

  test('plots follow the width of the window, and say values where the mouse is', async () => {
    await browser.open(PAGES[0][1], 1180)
    const width = `document.querySelector('#plot-percentiles canvas').getBoundingClientRect().width`
    const wide = await browser.ask<number>(width)
    await browser.page.setViewportSize({ width: 600, height: 900 })
    await eventually('narrower', async () => (await browser.ask<number>(width)) < wide / 2 + 50)
    await browser.page.setViewportSize({ width: 1180, height: 900 })
    await eventually('as wide again', async () => (await browser.ask<number>(width)) === wide)
    await browser.page.hover('#plot-percentiles .u-over')
    const legend = await browser.ask<string>(`document.querySelector('#plot-percentiles .u-legend').innerText`)
    assert.match(legend, /Share of the queries\s+99\.\d+ %\s+corrected\s+[\d.]+ [mµ]?s\s+raw\s+[\d.]+ [mµ]?s/)
  })

  test('answers stand side by side, and below each other on a narrow screen', async () => {
    const sides = `[...document.querySelectorAll('.answer:first-of-type .pair > div')].map((side) => side.getBoundingClientRect().toJSON())`
    await browser.open(PAGES[0][1], 1180)
    const [got, expected] = await browser.ask<{ x: number; y: number }[]>(sides)
    assert.ok(got.y === expected.y && got.x < expected.x)
    await browser.page.setViewportSize({ width: 360, height: 900 })
    const [first, second] = await browser.ask<{ x: number; y: number }[]>(sides)
    assert.ok(first.x === second.x && first.y < second.y)
  })

  test('text from outside is text', async () => {
    const evil = `<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script><!--"'><svg onload=window.hacked=1>`
    for (const report of evilReports(evil)) {
      await browser.open(htmlReport(report))
      assert.equal(await browser.ask('window.hacked'), undefined)
      const strange = `document.querySelectorAll('img, svg, iframe, object, body script:not([type]), [onerror], [onload]').length`
      assert.equal(await browser.ask(strange), 1, 'one plain script: the plot library')
      const text = await browser.ask<string>(TEXT)
      assert.ok(text.split(evil).length > 3, `${report.outcome.kind}: it is there to be read`)
      const drawn = await drawings()
      assert.ok(drawn.length > 3)
      for (const { id, colours } of drawn) assert.ok(colours > 10, id)
      assert.equal(await browser.ask(OVERFLOW), 0)
    }
    await browser.open(htmlReport(evilReports(evil)[0]), 360)
    assert.equal(await browser.ask(OVERFLOW), 0)
  })

  test('a script that is not of the page does not run', async () => {
    await browser.open(PAGES[0][1])
    await browser.ask(
      `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked = 1' }))`,
    )
    assert.equal(await browser.ask('window.hacked'), undefined)
    const [complaint, ...others] = browser.complaints.splice(0)
    assert.match(complaint, /Content Security Policy/)
    assert.deepEqual(others, [])
  })

  test('reports of nothing have a page too', async () => {
    for (const report of emptyReports()) {
      await browser.open(htmlReport(report))
      const text = await browser.ask<string>(TEXT)
      assert.ok(text.includes('How it was made'), report.outcome.kind)
      assert.doesNotMatch(text, /NaN|undefined|Infinity/)
    }
  })
})

test('the page fetches nothing, whoever opens it', () => {
  for (const [name, html] of PAGES) {
    assert.doesNotMatch(html.replace(/<script[\s\S]*?<\/script>/g, ''), /\b(?:src|href)=|@import|url\(/, name)
    assert.ok(html.length < 300_000, `${name} has ${html.length} characters`)
  }
})

/** Colours that a plot must have lines or dots in. */
function coloursOf(id: string, page: string): string[] {
  if (id.startsWith('compare-') || id === 'rounds') return ['series-1', 'series-2', 'series-3']
  if (id.startsWith('search-')) return ['good', 'bad']
  if (id === 'losses-over-time') return ['bad']
  if (id === 'rate-over-time') return ['series-1']
  if (id === 'latency-over-time') return ['series-1', 'series-2', 'soft']
  return page === 'comparison' ? ['series-1', 'series-2', 'series-3'] : ['series-1', 'series-2']
}

/** Colours that anything is filled or stroked with: canvases are drawn on paper as lines. */
function pdfColours(pdf: Buffer): Set<string> {
  const colours = new Set<string>()
  for (const [, stream] of pdf.toString('latin1').matchAll(/\bstream\r?\n([\s\S]*?)\r?\nendstream/g)) {
    for (const [, ...parts] of inflated(stream).matchAll(/([\d.]+) ([\d.]+) ([\d.]+) (?:rg|RG)\b/g)) {
      colours.add(
        `#${parts
          .map((part) =>
            Math.round(Number(part) * 255)
              .toString(16)
              .padStart(2, '0'),
          )
          .join('')}`,
      )
    }
  }
  return colours
}

function inflated(stream: string): string {
  try {
    return inflateSync(Buffer.from(stream, 'latin1')).toString('latin1')
  } catch {
    return ''
  }
}

function overlaps(texts: readonly Written[]): string[] {
  return texts.flatMap((one, index) =>
    texts
      .slice(index + 1)
      .filter((two) => one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom)
      .map((two) => `${one.text} | ${two.text}`),
  )
}

async function picture(browser: Browser, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) await browser.page.screenshot({ fullPage: true, path: join(folder, `${name}.png`) })
}

function evilReports(evil: string): Report[] {
  const verification = aVerification()
  const more: Partial<Report> = {
    command: ['peregrine', evil],
    version: evil,
    startedAt: evil,
    queries: evil,
    machine: { [evil]: evil },
    broken: [evil],
    verification: {
      ...verification,
      answers: [
        { question: evil, server: evil, truth: evil, got: [evil], expected: [evil, 'b'], difference: evil, times: 1 },
      ],
    },
  }
  const validity = { isValid: false, reasons: [evil], remarks: [evil] }
  const spec = aSpec({ target: aTarget(evil), durationMs: 3000 })
  const result = { ...aRun(spec, { ...STEADY, loss: 0.01 }), errors: { [evil]: 1 } }
  const comparison = comparisonReport([evil, evil, evil])
  return [
    { ...aReport({ kind: 'run', result, validity }), ...more },
    { ...comparison, ...more, outcome: { ...comparison.outcome, validity } },
  ]
}

function emptyReports(): Report[] {
  const run = judged({
    ...aRun(aSpec({ durationMs: 1000, warmupMs: 0, schedule: { kind: 'open', rate: 0 } }), STEADY),
    seconds: 0,
    series: [],
    serverCpuNs: 0,
  })
  const quiet = judged(aRun(aSpec({ durationMs: 2000, schedule: { kind: 'open', rate: 0 } }), STEADY))
  const none = { low: Number.NaN, median: Number.NaN, high: Number.NaN }
  const capacity: CapacityOutcome = {
    kind: 'capacity',
    rate: 0,
    confirmed: { passed: 0, of: 0 },
    failedRate: null,
    bounds: { maxLoss: null, maxP99Micros: null },
    trials: [],
    validity: run.validity,
  }
  const comparison: ComparisonOutcome = {
    kind: 'comparison',
    servers: ['a', 'b'].map((label) => ({
      target: aTarget(label),
      qps: none,
      p50Micros: none,
      p99Micros: none,
      loss: none,
      cpuMicros: none,
      ratios: { qps: none, p50: none, p99: none, cpu: null },
    })),
    rounds: [],
    validity: run.validity,
  }
  return [
    aReport({ kind: 'run', ...run }),
    aReport({ kind: 'run', ...quiet }),
    aReport(capacity),
    aReport({ ...capacity, trials: [{ ...quiet, rate: 1, phase: 'step', passed: false }] }),
    aReport(comparison),
    aReport({ ...comparison, rounds: [[quiet, quiet]] }),
  ]
}
