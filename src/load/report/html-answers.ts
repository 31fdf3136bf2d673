// The section on answers that were checked: what was wrong, both sides beside each other.

import type { Report, Verification, WrongAnswer } from '../outcome.ts'
import { Html, html } from './html-text.ts'
import { countText } from './number-text.ts'

/** '' unless answers were checked. */
export function answerSection({ verification }: Report): Html {
  if (verification === null) return new Html('')
  return html`<section><h2>Answers checked</h2>
<p>${sentences(verification)}</p>
${verification.answers.map(wrongAnswer)}
</section>`
}

function sentences({ checked, wrong, passing, outside, unchecked, answers }: Verification): string {
  const parts = [`${countText(checked)} compared, ${countText(wrong)} wrong.`]
  if (passing > 0) parts.push(`${countText(passing)} differences were gone when both sides were asked again.`)
  if (outside > 0) parts.push(`${countText(outside)} were outside of what is known.`)
  if (unchecked > 0) parts.push(`${countText(unchecked)} came too fast to be checked.`)
  const times = answers.reduce((sum, answer) => sum + answer.times, 0)
  if (times < wrong) parts.push(`The most frequent ones are listed: ${countText(times)} of them.`)
  return parts.join(' ')
}

function wrongAnswer({ question, server, truth, got, expected, difference, times }: WrongAnswer): Html {
  return html`<article class="answer">
<h3>${question}</h3>
<p class="note">${difference}, ${countText(times)} ${times === 1 ? 'time' : 'times'}</p>
<div class="pair">
<div><h4>Got, from ${server}</h4>${lines(got, expected, 'surplus', '−')}</div>
<div><h4>Expected, by ${truth}</h4>${lines(expected, got, 'missing', '+')}</div>
</div></article>`
}

/** Lines that the other side lacks are marked, by a sign as well as by colour; it stays on the line of the first word. */
function lines(ours: readonly string[], theirs: readonly string[], name: string, sign: string): Html {
  const marked = ours.map((line) =>
    theirs.includes(line)
      ? html`<span class="line">\u00a0\u00a0${line}</span>`
      : html`<span class="line ${name}">${sign}\u00a0${line}</span>`,
  )
  return html`<pre class="records">${marked}</pre>`
}
