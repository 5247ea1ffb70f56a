/** The figures of a run as Markdown, ratios first. */
import type { Results } from '../results.ts'
import { table } from './tables.ts'

const engineNames = { sqlite: 'SQLite', postgres: 'PostgreSQL' } as const
const shapeNames = { post: 'sealed POST', get: 'sealed GET', login: 'login' } as const

export function markdownOf(results: Results): string {
  const parts = [machineText(results)]
  if (results.ours !== undefined) parts.push('### Miniseal', oursTable(results.ours))
  if (results.warnings.length > 0) parts.push(results.warnings.map((text) => `- Warning: ${text}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}

function machineText({ machine }: Results): string {
  const { at, processors, cores, node, load, commit } = machine
  return `${at}, ${commit}, Node ${node}, ${cores} cores (${processors}), load of other work at the start ${load.toFixed(1)}.`
}

function oursTable({ rows }: NonNullable<Results['ours']>): string {
  return table(
    ['database', 'processes', 'request', 'connections', 'a second', 'p50, ms', 'p99, ms', 'a CPU second'],
    rows.map((row) => [
      engineNames[row.engine],
      String(row.processes),
      shapeNames[row.shape],
      String(row.connections),
      row.perSecond,
      row.p50,
      row.p99,
      row.perCpuSecond,
    ]),
  )
}
