/** `audit verify --url`: verifies the checkpoint and tiles of a log over HTTP, and with a token its entries. */
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { readLeaf } from '../tlog/fsck/check-entry.ts'
import type { FoundEntry } from '../tlog/fsck/check-tree.ts'
import { checkTree } from '../tlog/fsck/check-tree.ts'
import { ClaimRefused, readClaim } from '../tlog/fsck/claims.ts'
import { collectFindings } from '../tlog/fsck/findings.ts'
import { HttpLogFailed, httpLog, readHttpCheckpoint } from '../tlog/fsck/http-log.ts'
import type { Terminal } from './command.ts'
import { asCommandFailed, UsageError } from './command.ts'
import type { VerifyOptions, VerifyResult } from './fsck-database.ts'
import { readGivenCheckpoints } from './fsck-database.ts'
import { parseVkey } from './option-values.ts'
import type { Progress } from './terminal.ts'
import { startProgress } from './terminal.ts'

/**
 * @param url of the log, `https://pay.example.com/log`
 * @param token of an auditor; without it entries are not served
 * @throws UsageError without the key of the log: its own statement proves nothing
 * @throws CommandFailed when the log cannot be read
 */
export async function verifyUrl(
  { vkeys, checkpoints }: VerifyOptions,
  url: string,
  token: string | undefined,
  terminal: Terminal,
): Promise<VerifyResult> {
  const keys = vkeys.map(parseVkey)
  if (!keys.some(({ kind }) => kind === 'ed25519'))
    throw new UsageError('--url requires --vkey: the key of the log, from a trusted source')
  if (!/^https?:\/\//.test(url))
    throw new UsageError('--url takes an address like https://pay.example.com/log')
  const progress = startProgress(terminal, 'verifying')
  const verify = () => verifyLog({ keys, checkpoints, url, token }, progress.show)
  return await asCommandFailed(verify, ClaimRefused, HttpLogFailed).finally(progress.clear)
}

interface HttpCheck {
  readonly keys: readonly VerifierKey[]
  /** Files. */
  readonly checkpoints: readonly string[]
  readonly url: string
  readonly token: string | undefined
}

async function verifyLog(
  { keys, checkpoints, url, token }: HttpCheck,
  onProgress: Progress['show'],
): Promise<VerifyResult> {
  const keysOf = () => keys
  const findings = collectFindings()
  const current = readClaim(await readHttpCheckpoint(url), keysOf, 'the checkpoint of the log')
  const given = await readGivenCheckpoints(checkpoints, keysOf)
  for (const { origin, named } of given) {
    if (origin !== current.origin) findings.report('log-missing', origin, `${named} is of another log`)
  }
  const claimed = [current, ...given.filter(({ origin }) => origin === current.origin)]
  const inspect = (entries: readonly FoundEntry[]): void => {
    for (const { index, leaf } of entries) {
      try {
        if (leaf !== undefined) readLeaf(leaf)
      } catch {
        findings.report('entry-unreadable', `entry ${index}`, 'the bytes are not an entry')
      }
    }
  }
  const tree = await checkTree({
    source: httpLog(url, token, current, claimed),
    findings,
    inspect,
    since: undefined,
    onProgress,
  })
  const entries = token === undefined ? 0 : tree.size
  return {
    findings,
    logs: [{ origin: current.origin, ...tree }],
    checked: {
      entries,
      leaves: tree.size,
      given: given.map(({ size }) => size),
      keys: 'given',
      details: null,
    },
    lines: [
      token === undefined
        ? `checked: the tree over ${tree.size} leaf hashes; entries not checked: no token is given`
        : `checked: ${entries} entries`,
      'details not checked: they are not served over HTTP',
    ],
  }
}
