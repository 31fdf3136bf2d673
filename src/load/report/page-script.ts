// The script of the page as the browser runs it: the modules of page/, and what they import, without types, one behind
// another. Names are one file's only, so imports and `export` can simply go; a name that two have is an error in the browser.

import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

/** In the order of their imports. */
const MODULES = ['number-text.ts', 'page/scales.ts', 'page/line-plot.ts', 'page/whisker-plot.ts', 'page/page.ts']

/** To be run as a module, behind the plot library. */
export function pageScript(): string {
  return MODULES.map((path) => plain(withoutTypes(textOf(path)))).join('\n')
}

/** The style sheet of the page. */
export function pageStyle(): string {
  return textOf('page/page.css')
}

function textOf(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

function withoutTypes(source: string): string {
  // Node warns once that this function may change; who reads a report can do nothing about it.
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

function plain(source: string): string {
  return source
    .replace(/^import [^'"]*'[^']*'$/gm, '')
    .replace(/^export /gm, '')
    .replace(/^\s*\/\/.*$|^ *\/\*\*.*\*\/$|[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n')
}
