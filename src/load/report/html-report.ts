// A report as one HTML file that needs no network: text and tables are in it as HTML, so that it says everything without a
// script; the plots are drawn by one. What the content security policy lets run is known by its hash.

import { createHash } from 'node:crypto'
import type { Report } from '../outcome.ts'
import { answerSection } from './html-answers.ts'
import { capacitySections, comparisonSections } from './html-outcomes.ts'
import {
  generatorSection,
  latencySection,
  originSection,
  outcomeTitle,
  rcodeSection,
  timeSection,
} from './html-sections.ts'
import { Html, html } from './html-text.ts'
import { tileList } from './html-tiles.ts'
import { verdictBanner } from './html-verdict.ts'
import { pageScript, pageStyle } from './page-script.ts'
import { plotLibrary } from './plot-library.ts'
import { plotsOf } from './plots.ts'

/** The whole file. */
export function htmlReport(report: Report): string {
  const library = plotLibrary()
  const script = pageScript()
  const plots = plotsOf(report)
  const ids = new Set(plots.map(({ id }) => id))
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy([library.script, script])}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="peregrine ${report.version}">
<title>${outcomeTitle(report)}</title>
<style>${new Html(library.style)}
${new Html(pageStyle())}</style>
</head>
<body>
<header>
<h1>${outcomeTitle(report)}</h1>
<p class="under">${report.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')} · ${report.queries} · peregrine ${report.version}</p>
${verdictBanner(report)}
</header>
<main>
${tileList(report)}
${capacitySections(report)}
${comparisonSections(report)}
${latencySection(report)}
${timeSection(report, ids)}
${rcodeSection(report)}
${answerSection(report)}
${generatorSection(report)}
${originSection(report)}
</main>
<script type="application/json" id="plots">${jsonText(plots)}</script>
<script>${new Html(library.script)}</script>
<script type="module">${new Html(script)}</script>
</body>
</html>
`
  return page.text
}

/** Nothing is fetched, and no script runs but those that are known. Styles are set by the plot library too. */
function policy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`)
  return `default-src 'none'; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; base-uri 'none'; form-action 'none'`
}

/** Data in a script element ends at the first `</script`, whatever the quotes around it. */
function jsonText(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'))
}
