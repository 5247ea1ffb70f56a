import { defineCommand, UsageError } from '../../command.ts'
import type { VerifyResult } from '../../fsck-database.ts'
import { verifyDatabase } from '../../fsck-database.ts'
import { verifyUrl } from '../../fsck-http.ts'
import { vkeyOption } from '../../option-values.ts'

export const verify = defineCommand({
  name: 'audit verify',
  summary: 'recompute the whole log and compare it with what was stored and signed',
  options: {
    since: {
      type: 'string',
      choices: ['last'],
      help: 'continue from the last successful run, if there is one',
    },
    full: { type: 'boolean', help: 'verify everything; the default' },
    checkpoint: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      help: 'a checkpoint saved by you or a witness: the log must contain it',
    },
    vkey: vkeyOption,
    url: {
      type: 'string',
      value: 'URL',
      help: 'verify over HTTP, without the database: https://pay.example.com/log',
    },
    token: {
      type: 'string',
      value: 'TOKEN',
      help: `of an auditor, to read entries with --url (or MINISEAL_AUDITOR_TOKEN);
without it only the tree is verified`,
    },
    json: { type: 'boolean', help: 'print one JSON object' },
  },
  notes: `
Reads and hashes every entry, recomputes the tree and its tiles, and compares stored hashes, tiles, root, signed and
pinned checkpoints, columns, blind indexes, encrypted details and hourly counts. Trusts nothing in the database. Without
the --vkey of a log, uses the log keys that the master key protects. --url requires it.

Needs MINISEAL_DATABASE and MINISEAL_DATA, as the service has them, and MINISEAL_MASTER_KEY to verify details.

Exit status: 0 without findings, 1 with findings, 2 for a usage error, 3 when the log cannot be read.
`,
  async run({ since, full, checkpoint: checkpoints, vkey: vkeys, url, token, json }, terminal) {
    const isIncremental = since !== undefined
    if (isIncremental && full) throw new UsageError('--since and --full exclude each other')
    if (isIncremental && url !== undefined)
      throw new UsageError('--since needs the database; with --url use --checkpoint')
    if (token !== undefined && url === undefined) throw new UsageError('--token needs --url')
    const options = { isIncremental, checkpoints, vkeys }
    const result =
      url === undefined
        ? await verifyDatabase(options, terminal)
        : await verifyUrl(options, url, token ?? terminal.environment.MINISEAL_AUDITOR_TOKEN, terminal)
    terminal.out(json ? `${JSON.stringify(toJson(result))}\n` : describe(result))
    return result.findings.count === 0 ? 0 : 1
  },
})

/** Findings in the text output; --json has more. */
const maxShown = 100

function describe({ findings, logs, lines }: VerifyResult): string {
  const shown = findings.reported.slice(0, maxShown)
  const more = findings.count - shown.length
  return [
    ...shown.map(({ code, location, message }) => `FAILED ${code}: ${location}: ${message}`),
    ...(more > 0 ? [`FAILED and ${more} more findings`] : []),
    ...logs.map(
      ({ origin, size, root }) => `${origin}: ${size} entries, root ${Buffer.from(root).toString('base64')}`,
    ),
    ...lines,
    findings.count === 0 ? 'ok: the log is what was signed' : `failed: ${findings.count} findings`,
    '',
  ].join('\n')
}

function toJson({ findings, logs, checked }: VerifyResult) {
  return {
    ok: findings.count === 0,
    findings: findings.reported,
    findings_total: findings.count,
    logs: logs.map(({ origin, size, root }) => {
      return { origin, size, root: Buffer.from(root).toString('base64') }
    }),
    checked,
  }
}
