/** The check of a log over HTTP: its checkpoint, its tiles, and with a token its entries. */

import { readLeaf } from '../tlog/fsck/check-entry.ts'
import type { FoundEntry } from '../tlog/fsck/check-tree.ts'
import { checkTree } from '../tlog/fsck/check-tree.ts'
import { ClaimRefused, readClaim } from '../tlog/fsck/claims.ts'
import { collectFindings } from '../tlog/fsck/findings.ts'
import { HttpLogFailed, httpLog, readHttpCheckpoint } from '../tlog/fsck/http-log.ts'
import type { Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import type { VerifyOptions, VerifyResult } from './log-check.ts'
import { parseKey, readGiven } from './log-check.ts'
import { startProgress } from './terminal.ts'

/**
 * @param url where the log is, `https://pay.example.com/log`
 * @param token of an auditor; without it entries are not served
 * @throws UsageError without the log's key: a log cannot vouch for its own key.
 * @throws CommandFailed when the log cannot be read.
 */
export async function verifyUrl(
  { vkeys, checkpoints }: VerifyOptions,
  url: string,
  token: string | undefined,
  terminal: Terminal,
): Promise<VerifyResult> {
  const keys = vkeys.map(parseKey)
  if (!keys.some(({ kind }) => kind === 'ed25519')) {
    throw new UsageError('--url needs the log’s --vkey, from somewhere else than the log')
  }
  if (!/^https?:\/\//.test(url))
    throw new UsageError('--url takes an address like https://pay.example.com/log')
  const keysOf = (): typeof keys => keys
  const findings = collectFindings()
  const progress = startProgress(terminal, 'verifying')
  try {
    const now = readClaim(await readHttpCheckpoint(url), keysOf, 'the checkpoint of the log')
    const given = await readGiven(checkpoints, keysOf)
    for (const { origin, named } of given) {
      if (origin !== now.origin) findings.report('log-missing', origin, `${named} is of another log`)
    }
    const claimed = [now, ...given.filter(({ origin }) => origin === now.origin)]
    const source = httpLog(url, token, now, claimed)
    const inspect = (entries: readonly FoundEntry[]): void => {
      for (const { index, leaf } of entries) {
        try {
          if (leaf !== undefined) readLeaf(leaf)
        } catch {
          findings.report('entry-unreadable', `entry ${index}`, 'its bytes are no leaf')
        }
      }
    }
    const tree = await checkTree({ source, findings, inspect, onProgress: progress.show })
    const entries = token === undefined ? 0 : tree.size
    return {
      findings,
      logs: [{ origin: now.origin, ...tree }],
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
        'details not checked: they never leave the service',
      ],
    }
  } catch (error) {
    if (error instanceof ClaimRefused || error instanceof HttpLogFailed)
      throw new CommandFailed(error.message)
    throw error
  } finally {
    progress.clear()
  }
}
