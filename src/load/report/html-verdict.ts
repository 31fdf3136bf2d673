// The head of the page: what may be believed.

import type { Report } from '../outcome.ts'
import { boundsText, type Verdict, verdictOf } from './facts.ts'
import { Html, html } from './html-text.ts'
import { countText } from './number-text.ts'

const SIGNS: Readonly<Record<Verdict, string>> = { valid: '✓', invalid: '✕', broken: '!', wrong: '!' }

/** The verdict with its reasons, and what should be known all the same. */
export function verdictBanner(report: Report): Html {
  const { verdict, headline } = verdictOf(report)
  const { outcome, broken, verification, bounds } = report
  const sentences = [...outcome.validity.reasons, ...broken]
  if (verification !== null && verification.wrong > 0) {
    sentences.push(
      `${countText(verification.wrong)} of ${countText(verification.checked)} answers that were checked are wrong.`,
    )
  }
  const stated = boundsText(bounds)
  const held = verdict === 'valid' && stated !== '' ? html`<p>Bounds: ${stated}.</p>` : html``
  return html`<section class="verdict ${verdict}" role="status">
<span class="sign" aria-hidden="true"><span>${SIGNS[verdict]}</span></span>
<div><p class="headline">${headline}</p>${listOf(sentences, 'reasons')}${held}${listOf(outcome.validity.remarks, 'remarks')}</div>
</section>`
}

function listOf(sentences: readonly string[], name: string): Html {
  if (sentences.length === 0) return new Html('')
  return html`<ul class="${name}">${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>`
}
