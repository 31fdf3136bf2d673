// Tables and lines of plain text for a terminal: columns are as wide as their widest cell, numbers end where they should.

/** Lines of a table; the first column begins, all others end at their column's edge. Two spaces lie between. */
export function tableLines(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell))
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const room = ' '.repeat(widths[column] - widthOf(cell))
      return column === 0 ? cell + room : room + cell
    })
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Takes what would move the cursor or change colours out of a text from outside. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** Characters; those of names and numbers are all of one column. */
function widthOf(text: string): number {
  return [...text].length
}
