/** The command line of the benchmark. */
import { parseArgs } from 'node:util'

export const sectionNames = ['floor', 'ours', 'peers', 'growth', 'wire'] as const

export type SectionName = (typeof sectionNames)[number]

export interface BenchOptions {
  readonly only: readonly SectionName[]
  /** Length of a measured round. */
  readonly seconds: number
  /** Rounds for each figure of a ratio. */
  readonly rounds: number
  /** Connections of the closed loops of "ours". */
  readonly connections: readonly number[]
  /** Sessions and log entries of "growth". */
  readonly sizes: readonly number[]
  /** Sockets of "growth"; 0: none. */
  readonly sockets: number
  /** Sessions whose memory is measured. */
  readonly sessions: number
  /** A file for the figures. */
  readonly json: string | undefined
  /** A folder for CPU profiles. */
  readonly profile: string | undefined
  readonly writeDocs: boolean
}

export const usage = `usage: npm run bench -- [schemes] [options]
       npm run bench -- attacks | audit | client | commits

Compares Miniseal with lower bounds for the same work, and with other ways to secure a mini program's requests.
Prints Markdown on standard output and progress on standard error.

  --quick            few short rounds and small databases; takes about a minute
  --only A,B         sections, of ${sectionNames.join(', ')}
  --seconds N        length of a round (default 2)
  --rounds N         rounds for each figure of a ratio (default 5)
  --connections N,N  connections of closed loops (default 1,16,64); ratios use the last
  --sizes N,N        sessions and log entries of "growth" (default 1000,100000,1000000)
  --sockets N        open sockets of "growth" (default 10000)
  --sessions N       sessions for the memory measurement (default 5000)
  --json FILE        also writes all figures to FILE
  --profile FOLDER   writes a CPU profile of Miniseal during the comparison; slows Miniseal down
  --write-docs       writes the tables between the two markers of docs/internals/benchmarks.md
  --help             prints this text

TEST_POSTGRES_URL names a PostgreSQL server; without it, only SQLite is measured. BENCH_FOLDER holds the databases
(default: the system's temporary folder). Exit code: 0 also when targets are missed, 2 for invalid usage, 1 when a
measurement failed.
`

/** Invalid usage; the message names the option. */
export class UsageError extends Error {}

const whole = {
  seconds: 2,
  rounds: 5,
  connections: [1, 16, 64],
  sizes: [1_000, 100_000, 1_000_000],
  sockets: 10_000,
  sessions: 5_000,
}

const quick = {
  seconds: 0.7,
  rounds: 2,
  connections: [1, 64],
  sizes: [1_000, 20_000],
  sockets: 200,
  sessions: 200,
}

/** @returns `undefined` for --help. @throws UsageError */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const values = parsed(args)
  if (values.help) return undefined
  const base = values.quick ? quick : whole
  return {
    only: values.only === undefined ? sectionNames : sectionsOf(values.only),
    seconds: numberOf('seconds', values.seconds, base.seconds, 0.1),
    rounds: numberOf('rounds', values.rounds, base.rounds, 1),
    connections: listOf('connections', values.connections, base.connections, 1),
    sizes: listOf('sizes', values.sizes, base.sizes, 100),
    sockets: numberOf('sockets', values.sockets, base.sockets, 0),
    sessions: numberOf('sessions', values.sessions, base.sessions, 1),
    json: values.json,
    profile: values.profile,
    writeDocs: values['write-docs'],
  }
}

function parsed(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        connections: { type: 'string' },
        sizes: { type: 'string' },
        sockets: { type: 'string' },
        sessions: { type: 'string' },
        json: { type: 'string' },
        profile: { type: 'string' },
        'write-docs': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      strict: true,
    })
    return values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function sectionsOf(text: string): readonly SectionName[] {
  return text.split(',').map((name) => {
    const section = sectionNames.find((known) => known === name)
    if (section === undefined)
      throw new UsageError(`there is no section ${JSON.stringify(name)}: ${sectionNames.join(', ')}`)
    return section
  })
}

function listOf(
  name: string,
  text: string | undefined,
  otherwise: readonly number[],
  least: number,
): readonly number[] {
  if (text === undefined) return otherwise
  const numbers = text.split(',').map((part) => numberOf(name, part, 0, least))
  if (numbers.some((number, index) => number <= (numbers[index - 1] ?? 0)))
    throw new UsageError(`the values of --${name} must increase`)
  return numbers
}

/** @param least minimum; fractions are allowed when it is below 1 */
function numberOf(name: string, text: string | undefined, otherwise: number, least: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  const isWhole = Number.isInteger(value) || (least > 0 && least < 1)
  if (!/^[0-9.]+$/.test(text) || Number.isNaN(value) || !isWhole || value < least)
    throw new UsageError(`--${name} must be a number, at least ${least}`)
  return value
}
