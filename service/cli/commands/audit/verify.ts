import { defineCommand, UsageError } from '../../command.ts'
import { jsonOption, vkeyOption } from '../../option-values.ts'
import type { VerifyResult } from '../../verify-log.ts'
import { verifyDatabase, verifyUrl } from '../../verify-log.ts'

export const verify = defineCommand({
  name: 'audit verify',
  summary: 'recompute the log and compare it with stored and signed data',
  options: {
    since: {
      type: 'string',
      choices: ['last'],
      help: 'continue from the last successful run, if any',
    },
    full: { type: 'boolean', help: 'verify everything (default)' },
    checkpoint: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      help: 'saved checkpoint that the log must extend',
    },
    vkey: vkeyOption,
    url: {
      type: 'string',
      value: 'URL',
      help: 'verify over HTTP instead: https://pay.example.com/log',
    },
    token: {
      type: 'string',
      value: 'TOKEN',
      help: `auditor token to read entries with --url (default: MINISEAL_AUDITOR_TOKEN);
without one, only the tree is verified`,
    },
    json: jsonOption,
  },
  notes: `
Hashes every entry, recomputes the tree and its tiles, and compares them with stored hashes, tiles and root, with signed
and pinned checkpoints, columns, blind indexes, encrypted details and hourly counts. Trusts nothing in the database.

The log keys are those of --vkey, or by default those protected by the master key. --url requires --vkey. Details are
verified only with MINISEAL_MASTER_KEY.

Exit status: 0 without findings, 1 with findings, 2 for a usage error, 3 if the log cannot be read.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_DATA', 'MINISEAL_MASTER_KEY'],
  async run({ since, full, checkpoint: checkpoints, vkey: vkeys, url, token, json }, terminal) {
    const isIncremental = since !== undefined
    if (isIncremental && full) throw new UsageError('--since and --full cannot be used together')
    if (isIncremental && url !== undefined)
      throw new UsageError('--since cannot be used with --url; use --checkpoint')
    if (token !== undefined && url === undefined) throw new UsageError('--token requires --url')
    const options = { isIncremental, checkpoints, vkeys }
    const result =
      url === undefined
        ? await verifyDatabase(options, terminal)
        : await verifyUrl(options, url, token ?? terminal.environment.MINISEAL_AUDITOR_TOKEN, terminal)
    terminal.out(json ? `${JSON.stringify(toJson(result))}\n` : describe(result))
    return result.findings.count === 0 ? 0 : 1
  },
})

/** Findings in the text output; --json prints more. */
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
    findings.count === 0 ? 'ok: the log matches its signatures' : `failed: ${findings.count} findings`,
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
