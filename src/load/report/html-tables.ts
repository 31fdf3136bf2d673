// Tables of the page, and the frames that plots stand in.

import { type Html, html } from './html-text.ts'

type Cell = string | Html

/** A table; the first column and those of `texts` begin, all others are numbers and end at their edge. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  texts: readonly number[] = [],
): Html {
  const kind = (column: number): string => (column === 0 || texts.includes(column) ? 'text' : 'number')
  const heads = head.map((cell, column) => html`<th scope="col" class="${kind(column)}">${cell}</th>`)
  const body = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? html`<th scope="row" class="text">${cell}</th>` : html`<td class="${kind(column)}">${cell}</td>`,
    )
    return html`<tr>${cells}</tr>`
  })
  return html`<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** Names and values, with a few words about each of them. */
export function factList(facts: readonly (readonly [name: string, value: string, note: string])[]): Html {
  const items = facts.map(
    ([name, value, note]) =>
      html`<div><dt>${name}</dt><dd>${value}${note === '' ? html`` : html` <span class="note">${note}</span>`}</dd></div>`,
  )
  return html`<dl class="facts">${items}</dl>`
}

/** The place of a plot: `id` is that of the plot, the title is also what is read out for it. */
export function plotFrame(id: string, title: string, note = ''): Html {
  const notes = note === '' ? html`` : html` <span class="note">${note}</span>`
  return html`<figure><figcaption>${title}${notes}</figcaption><div class="plot" id="plot-${id}" data-label="${title}"></div></figure>`
}
