/** Tables in Markdown, padded so that they can be read as they are. */

export type Cell = string | number

/** @param rows one cell for each title; numbers are right-aligned */
export function table(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [titles, ...rows.map((row) => row.map(textOf))]
  const widths = titles.map((_, column) => Math.max(3, ...texts.map((row) => row[column]?.length ?? 0)))
  const isNumber = titles.map((_, column) => {
    const cells = rows.map((row) => row[column])
    return (
      cells.some((cell) => typeof cell === 'number') &&
      cells.every((cell) => typeof cell !== 'string' || cell === '')
    )
  })
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((text, column) => {
      const width = widths[column] ?? 0
      return isNumber[column] ? text.padStart(width) : text.padEnd(width)
    })
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, column) =>
    isNumber[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  )
  const [head = [], ...body] = texts
  return [line(head), line(rule), ...body.map(line)].join('\n')
}

function textOf(cell: Cell): string {
  if (typeof cell === 'string') return cell
  if (!Number.isFinite(cell)) return ''
  const size = Math.abs(cell)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2
  return cell.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
