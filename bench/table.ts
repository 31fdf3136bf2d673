// Tables of measurements: columns as wide as their widest cell, two spaces between and before them.

/** Says of a column, counted from 0, whether it is text, which stands left; figures stand right. */
export type IsText = (column: number) => boolean

/** Lines of a table; all rows are as long as the first, the heads. */
export function tableLines(rows: readonly string[][], isText: IsText): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      isText(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    )
    return `  ${cells.join('  ').trimEnd()}`
  })
}

/** Prints a table; the first and the last column are text unless it is said which are. */
export function printRows(rows: readonly string[][], isText?: IsText): void {
  const last = rows[0].length - 1
  for (const line of tableLines(rows, isText ?? ((column) => column === 0 || column === last))) console.log(line)
}
