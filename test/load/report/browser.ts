// A real Chromium to open pages in: no network, a profile of its own, and everything noted that a page should not do.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--headless',
]

/** Why there is no browser; false if there is one. */
export const NO_BROWSER = existsSync(CHROMIUM) ? false : `no ${CHROMIUM}: scripts/install-test-tools installs it`

/** Text that was written on a canvas and still stands there. Pixels of the canvas. */
export interface Written {
  readonly text: string
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Runs before any script of a page: notes what is written on canvases, since nobody can read it off them. */
const NOTE_TEXTS = `{
  const texts = new WeakMap()
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype
  CanvasRenderingContext2D.prototype.clearRect = function (...args) {
    texts.set(this.canvas, [])
    return clearRect.apply(this, args)
  }
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const { width, actualBoundingBoxAscent: ascent, actualBoundingBoxDescent: descent } = this.measureText(text)
    const before = { left: 0, start: 0, center: width / 2, right: width, end: width }[this.textAlign]
    const { a, b, e, f } = this.getTransform()
    // Turned text stands on its end; for all others there is only a shift.
    const box = b === 0 ? [x - before, y - ascent, x - before + width, y + descent] : [y - ascent, x - before, y + descent, x - before + width]
    const list = texts.get(this.canvas) ?? []
    if (text !== '') list.push({ text, left: box[0] + e, top: box[1] + f, right: box[2] + e, bottom: box[3] + f })
    texts.set(this.canvas, list)
    return fillText.call(this, text, x, y, ...rest)
  }
  window.textsOf = (canvas) => texts.get(canvas) ?? []
}`

export class Browser {
  readonly page: Page
  /** Errors, warnings, requests that are none of a file: in the order they came. */
  readonly complaints: string[] = []
  readonly #context: BrowserContext
  readonly #folder: string

  constructor(context: BrowserContext, page: Page, folder: string) {
    this.#context = context
    this.page = page
    this.#folder = folder
    page.on('console', (message) => {
      if (message.type() !== 'debug') this.complaints.push(`${message.type()}: ${message.text()}`)
    })
    page.on('pageerror', (error) => this.complaints.push(`error: ${error.message}`))
    page.on('crash', () => this.complaints.push('crashed'))
    context.on('request', (request) => {
      if (!request.url().startsWith('file:')) this.complaints.push(`request: ${request.url()}`)
    })
    context.on('requestfailed', (request) => this.complaints.push(`failed: ${request.url()}`))
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'peregrine-browser-'))
    const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      args: ARGUMENTS,
      offline: true,
    })
    await context.addInitScript(NOTE_TEXTS)
    return new Browser(context, context.pages()[0] ?? (await context.newPage()), folder)
  }

  /** Opens a page out of a file. */
  async open(html: string, width = 1180, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
    const file = join(this.#folder, 'page.html')
    writeFileSync(file, html)
    await this.page.emulateMedia({ colorScheme, media: 'screen' })
    await this.page.setViewportSize({ width, height: 900 })
    await this.page.goto(pathToFileURL(file).href)
  }

  /** The value of an expression in the page. */
  ask<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>
  }

  async close(): Promise<void> {
    await this.#context.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
