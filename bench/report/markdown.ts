/** The figures of a run as Markdown, ratios first. */
import type { Results } from '../results.ts'
import { table } from './tables.ts'
import { count, labelOf, verdictsOf } from './targets.ts'

const engineNames = { sqlite: 'SQLite', postgres: 'PostgreSQL' } as const
const shapeNames = { post: 'encrypted POST', get: 'encrypted GET', login: 'login' } as const

export function markdownOf(results: Results): string {
  const parts = [
    machineText(results),
    verdictTable(results),
    ...comparedTable(results),
    ...oursTable(results),
    ...floorTables(results),
    ...growthTables(results),
    ...wireTable(results),
  ]
  if (results.warnings.length > 0) parts.push(results.warnings.map((text) => `- Warning: ${text}`).join('\n'))
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function machineText({ machine }: Results): string {
  const { at, processors, cores, node, load, commit, command } = machine
  return `\`${command}\`, ${at}, ${commit}. Node ${node}, ${cores} cores (${processors}); load average: ${load.toFixed(1)}.`
}

function verdictTable(results: Results): string {
  const verdicts = verdictsOf(results)
  if (verdicts.length === 0) return ''
  return table(
    ['comparison', 'target', 'measured', '', 'note'],
    verdicts.map(({ what, target, measured, isReached, note }) => {
      return [what, target, measured, isReached ? 'reached' : 'not reached', note]
    }),
  )
}

function comparedTable({ compared }: Results): readonly string[] {
  if (compared === undefined) return []
  const { rows, connections, content } = compared
  return [
    `### The same POST of ${content} bytes, ${connections} connections, SQLite`,
    table(
      ['', 'per second', 'p50, ms', 'p99, ms', 'per CPU second', 'Miniseal relative to it', 'in CPU time'],
      rows.map(({ name, perSecond, p50, p99, perCpuSecond, ours }) => [
        labelOf(name),
        ...[perSecond, p50 ?? '', p99 ?? '', perCpuSecond, ours.byClock, ours.byProcessor],
      ]),
    ),
  ]
}

function oursTable({ ours }: Results): readonly string[] {
  if (ours === undefined) return []
  return [
    '### Miniseal alone',
    table(
      [
        'database',
        'processes',
        'request',
        'connections',
        'per second',
        'p50, ms',
        'p99, ms',
        'per CPU second',
      ],
      ours.rows.map((row) => [
        engineNames[row.engine],
        String(row.processes),
        shapeNames[row.shape],
        String(row.connections),
        ...[row.perSecond, row.p50, row.p99, row.perCpuSecond],
      ]),
    ),
  ]
}

function floorTables({ floor }: Results): readonly string[] {
  if (floor === undefined) return []
  const rows = [
    ...floor.cryptography.map((row) => [`cryptography, body of ${count(row.content)} bytes`, row] as const),
    ...floor.http.map((row) => [`HTTP only, ${row.connections} connection(s)`, row] as const),
    ...floor.commits.map((row) => [`database rows, ${row.batch} request(s) per commit`, row] as const),
  ]
  return [
    '### Lower bounds',
    table(
      ['', 'requests per second', 'per CPU second'],
      rows.map(([name, { perSecond, perCpuSecond }]) => [name, perSecond, perCpuSecond]),
    ),
  ]
}

function growthTables({ growth }: Results): readonly string[] {
  if (growth === undefined) return []
  const { memory, diskBytes } = growth
  // With few sessions or sockets, garbage collection changes the memory by more than they use.
  const kibibytes = (bytes: number): string => (bytes > 0 ? (bytes / 1_024).toFixed(2) : 'too few to measure')
  return [
    '### Growth',
    table(
      ['sessions and log entries', 'encrypted POST per second', 'p50, ms', 'p99, ms'],
      growth.rows.map(({ size, perSecond, p50, p99 }) => [count(size), perSecond, p50, p99]),
    ),
    table(
      ['', ''],
      [
        ['database per encrypted POST, KiB', kibibytes(diskBytes)],
        ['memory of the service, warm, MiB', (memory.idle / 1_048_576).toFixed(0)],
        [`memory per session, of ${count(memory.sessions)}, KiB`, kibibytes(memory.session)],
        ...(memory.socket === undefined
          ? []
          : [[`memory per open socket, of ${count(memory.sockets)}, KiB`, kibibytes(memory.socket)]]),
      ],
    ),
  ]
}

function wireTable({ wire }: Results): readonly string[] {
  if (wire === undefined) return []
  return [
    '### Bytes on the wire, with HTTP headers, without TLS',
    table(
      ['', 'body', 'request', 'response', 'total'],
      wire.map(({ name, content, request, response }) => [
        labelOf(name),
        ...[content, request, response, request + response].map(count),
      ]),
    ),
  ]
}
