/** `miniseal audit verify`: recomputes the whole log and compares everything that is said about it. */
import { parseArgs } from 'node:util'
import type { Command, ExitCode, Terminal } from './command.ts'
import { UsageError } from './command.ts'
import type { VerifyOptions, VerifyResult } from './log-check.ts'
import { verifyDatabase } from './log-check.ts'
import { verifyUrl } from './log-check-http.ts'

const usage = `usage: miniseal audit verify [--since last | --full] [--checkpoint FILE]… [--vkey KEY]… [--json]
       miniseal audit verify --url URL --vkey KEY [--token TOKEN] [--checkpoint FILE]… [--json]

Reads every entry, hashes it anew, builds the tree and all its tiles, and compares: stored hashes, tiles, root, every
signed checkpoint, the pinned checkpoint, columns and blind indexes, sealed details, and the
hourly counts. Nothing in the database is trusted. Each finding names its location.

  --since last        goes on from the last good check (full where there was none)
  --full              everything (default)
  --checkpoint FILE   a checkpoint that you, or a witness, kept: the log must contain it; may be repeated
  --vkey KEY          verifier key of the log, or of a witness, that you know from elsewhere; may be repeated.
                      Without it, the log's keys are those that the master key protects.
  --json              the result as one JSON object

  --url URL           a log over HTTP, https://pay.example.com/log, without its database
  --token TOKEN       of an auditor, for the entries (or MINISEAL_AUDITOR_TOKEN); without it only the tree is checked

Needs MINISEAL_DATABASE and MINISEAL_DATA, as the service has them; and MINISEAL_MASTER_KEY to look into sealed details.
The exit code is 0 when all is well, 1 for findings, 2 for a wrong call, 3 when the log cannot be read.
`

const options = {
  since: { type: 'string' },
  full: { type: 'boolean', default: false },
  checkpoint: { type: 'string', multiple: true, default: [] as string[] },
  vkey: { type: 'string', multiple: true, default: [] as string[] },
  url: { type: 'string' },
  token: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

export const verify: Command = {
  name: 'audit verify',
  summary: 'recompute the whole log and compare everything with it',
  usage,
  async run(args, terminal) {
    const { values } = parseArgs({ args: [...args], options, strict: true })
    if (values.since !== undefined && values.since !== 'last') throw new UsageError('--since takes last')
    if (values.since !== undefined && values.full)
      throw new UsageError('--since and --full exclude each other')
    const wanted: VerifyOptions = {
      isIncremental: values.since === 'last',
      checkpoints: values.checkpoint,
      vkeys: values.vkey,
    }
    const result = await runCheck(wanted, values, terminal)
    terminal.out(values.json ? `${JSON.stringify(toJson(result))}\n` : describe(result))
    return exitOf(result)
  },
}

async function runCheck(
  wanted: VerifyOptions,
  { url, token }: { readonly url?: string | undefined; readonly token?: string | undefined },
  terminal: Terminal,
): Promise<VerifyResult> {
  if (url === undefined) {
    if (token !== undefined) throw new UsageError('--token goes with --url')
    return await verifyDatabase(wanted, terminal)
  }
  if (wanted.isIncremental) throw new UsageError('--since goes with a database; give --checkpoint with --url')
  return await verifyUrl(wanted, url, token ?? terminal.environment.MINISEAL_AUDITOR_TOKEN, terminal)
}

function exitOf({ findings }: VerifyResult): ExitCode {
  return findings.count === 0 ? 0 : 1
}

/** Findings that a person is shown; --json has more. */
const maxShown = 100

function describe(result: VerifyResult): string {
  const { findings } = result
  const shown = findings.reported.slice(0, maxShown)
  const more = findings.count - shown.length
  return [
    ...shown.map(({ code, location, message }) => `FAILED ${code}: ${location}: ${message}`),
    ...(more > 0 ? [`FAILED and ${more} more findings`] : []),
    ...result.logs.map(
      ({ origin, size, root }) => `${origin}: ${size} entries, root ${Buffer.from(root).toString('base64')}`,
    ),
    ...result.lines,
    findings.count === 0 ? 'ok: the log is what was signed' : `failed: ${findings.count} findings`,
    '',
  ].join('\n')
}

function toJson(result: VerifyResult) {
  return {
    ok: result.findings.count === 0,
    findings: result.findings.reported,
    findings_total: result.findings.count,
    logs: result.logs.map(({ origin, size, root }) => {
      return { origin, size, root: Buffer.from(root).toString('base64') }
    }),
    checked: result.checked,
  }
}
