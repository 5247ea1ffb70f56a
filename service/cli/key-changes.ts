/** What `miniseal keys` changes: rotate, use, end. */
import type { RotatableKind } from '../keys/keyring.ts'
import { configurationLifetime, openKeyring, rotateKey } from '../keys/keyring.ts'
import type { EndableKind } from '../keys/replacement.ts'
import { createNextRoot, endKeyNow, ReplacementRefused, useRootKey } from '../keys/replacement.ts'
import { rewrapAll } from '../keys/rewrapping.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import type { Store } from '../store/store.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { startProgress } from './progress.ts'

/** What an action on keys works with. */
export interface Situation {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly terminal: Terminal
  /** UNIX seconds. */
  readonly now: number
}

export type Action = (situation: Situation) => Promise<ExitCode>

/** The options of the actions that change something. */
export interface ChangeOptions {
  readonly now: boolean
  readonly at: string | undefined
}

const rotatable: readonly RotatableKind[] = ['agreement', 'signing', 'token', 'log']

const endable: readonly EndableKind[] = ['root', ...rotatable]

/** @throws UsageError for a kind that is not rotated. */
export function rotateAction(kind: string | undefined): Action {
  if (kind === 'master') return rewrapMaster
  if (kind === 'root') return rotateRoot
  const found = rotatable.find((candidate) => candidate === kind)
  if (found === undefined)
    throw new UsageError(`keys rotate takes one of ${rotatable.join(', ')}, root, master`)
  return async ({ store, wrapper, terminal, now }) => {
    await openKeyring(store, wrapper, now)
    const { kid, notBefore } = await rotateKey(store, wrapper, found, now)
    terminal.out(
      `new ${found} key ${kid}, used ${notBefore > now ? `from ${day(notBefore)}` : 'from now on'}\n`,
    )
    if (found === 'log') printLogOverlap(terminal, now)
    return 0
  }
}

function printLogOverlap(terminal: Terminal, now: number): void {
  terminal.out(
    'Checkpoints carry its signature beside the old one.\n' +
      `Clients are told of it from ${day(now + configurationLifetime)} on; ` +
      `the old key signs until ${day(now + 2 * configurationLifetime)}.\n` +
      'Give auditors and witnesses the new verifier key: miniseal keys export\n',
  )
}

/** @throws UsageError unless called as `keys use root KID [--at TIME]`. */
export function useAction(kind: string | undefined, kid: string | undefined, { at }: ChangeOptions): Action {
  if (kind !== 'root' || kid === undefined) throw new UsageError('keys use takes root and the name of a key')
  const time = at === undefined ? undefined : parseTime(at)
  return async ({ store, wrapper, terminal, now }) => {
    if (time !== undefined && time < now) throw new UsageError('the time of --at is over')
    const keyring = await openKeyring(store, wrapper, now)
    const from = await refusable(() => useRootKey(store, keyring, kid, time ?? now, now))
    terminal.out(`root key ${kid} signs configurations from ${from > now + 1 ? day(from) : 'now on'}\n`)
    return 0
  }
}

/** @throws UsageError unless called as `keys end KIND KID --now`. */
export function endAction(kind: string | undefined, kid: string | undefined, options: ChangeOptions): Action {
  const found = endable.find((candidate) => candidate === kind)
  if (found === undefined || kid === undefined)
    throw new UsageError(`keys end takes one of ${endable.join(', ')} and the name of a key`)
  if (!options.now)
    throw new UsageError('a key ends by itself after its rotation: say --now if it must end now')
  return async ({ store, wrapper, terminal, now }) => {
    const keyring = await openKeyring(store, wrapper, now)
    const next = await refusable(() => endKeyNow(store, keyring, found, kid, now))
    terminal.out(`${found} key ${kid} has ended, ${next} is in use\n`)
    return 0
  }
}

async function rotateRoot({ store, wrapper, terminal, now }: Situation): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  const kid = await refusable(() => createNextRoot(store, wrapper, keyring, now))
  terminal.out(
    `new root key ${kid}, not used yet\n` +
      'Release the mini program with both root keys of: miniseal keys export\n' +
      `When nobody uses an older release any more: miniseal keys use root ${kid}\n`,
  )
  return 0
}

async function rewrapMaster({ store, wrapper, terminal, now }: Situation): Promise<ExitCode> {
  // Fails before anything is written when a key that the service needs does not open.
  await openKeyring(store, wrapper, now)
  const progress = startProgress(terminal, 'rewrapping')
  const { done, left, closed } = await rewrapAll(store, wrapper, progress.show)
  progress.clear()
  terminal.out(`${done} values wrapped with the current master key\n`)
  if (left === 0) {
    terminal.out('No value is under an old master key: it is needed no more.\n')
    return 0
  }
  if (closed > 0) terminal.err(`${closed} values do not open with any of the given master keys\n`)
  if (left > closed) {
    terminal.err(
      `${left - closed} values were written with an old master key meanwhile: ` +
        'restart every service with the new one in front, then repeat\n',
    )
  }
  return 1
}

async function refusable<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    throw error instanceof ReplacementRefused ? new CommandFailed(error.message) : error
  }
}

function parseTime(text: string): number {
  const milliseconds = /^\d{4}-\d{2}-\d{2}T[0-9:]+Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(milliseconds)) throw new UsageError('--at takes a time like 2026-01-31T08:00:00Z')
  return Math.floor(milliseconds / 1000)
}

/** ISO 8601, to the second. */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
