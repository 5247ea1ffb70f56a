import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Config } from '../../config/config.ts'
import { readConfig } from '../../config/config.ts'
import {
  configurationLifetime,
  forever,
  type Keyring,
  openKeyring,
  type ServiceKey,
  serviceKeyKinds,
} from '../../keys/keyring.ts'
import { noteVerifierKey, published, publishedLogKeys } from '../../keys/publication.ts'
import { countOld, rewrapAll } from '../../keys/rewrapping.ts'
import type { RevocableKind, RotatableKind } from '../../keys/rotation.ts'
import {
  activateRootKey,
  createNextRootKey,
  RotationRefused,
  revokeKey,
  rotateKey,
} from '../../keys/rotation.ts'
import type { SecretWrapper } from '../../keys/wrapping.ts'
import { createSecretWrapper } from '../../keys/wrapping.ts'
import { openStore } from '../../store/open-store.ts'
import type { ServiceKeyKind } from '../../store/service-keys.ts'
import type { Store } from '../../store/store.ts'
import { logKeyChanges } from '../../tlog/lifecycle-entries.ts'
import { defaultOrigin } from '../../tlog/origin.ts'
import type { ExitCode, Terminal } from '../command.ts'
import { asCommandFailed, defineCommand, defineGroup, UsageError } from '../command.ts'
import { currentTime, formatTime } from '../database.ts'
import { publicOrigin } from '../development-file.ts'
import { openOperatorAppender } from '../log-access.ts'
import { jsonOption } from '../option-values.ts'
import { startProgress } from '../terminal.ts'

const keysEnvironment = ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY', 'MINISEAL_DATA', 'MINISEAL_ORIGIN']

const keyArgument = { help: 'id, as printed by keys list' } as const

interface KeyAccess {
  readonly config: Config
  /** Logs its writes of keys. */
  readonly store: Store
  readonly wrapper: SecretWrapper
  /** UNIX seconds. */
  readonly now: number
}

async function withKeys(
  terminal: Terminal,
  work: (access: KeyAccess) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig(terminal.environment)
  const store = await openStore(config.database)
  try {
    const wrapper = createSecretWrapper(config.masterKeys)
    const { appender } = await openOperatorAppender(store, terminal)
    const now = currentTime()
    return await work({ config, store: logKeyChanges(store, appender), wrapper, now })
  } finally {
    await store.close()
  }
}

const list = defineCommand({
  name: 'keys list',
  summary: 'list the keys of the service',
  notes: `
Prints kind, id and validity of each key, and how many values are wrapped with an old master key.
`,
  environment: keysEnvironment,
  run: async (_values, terminal) =>
    await withKeys(terminal, async ({ store, wrapper, now }) => {
      const keyring = await openKeyring(store, wrapper, now)
      for (const kind of serviceKeyKinds) {
        keyring.published(kind, now).forEach((key, index) => {
          terminal.out(`${kind.padEnd(10)} ${key.kid}  ${stateOf(key, index === 0, now)}\n`)
        })
      }
      const old = await countOld(store, wrapper)
      terminal.out(`${'master'.padEnd(10)} ${old === 0 ? 'no values' : `${old} values`} under an old key\n`)
      return 0
    }),
})

function stateOf({ kind, notBefore, notAfter }: ServiceKey, isFirst: boolean, now: number): string {
  const state = notBefore > now ? startOf(notBefore) : isFirst ? 'active' : previousState(kind)
  return notAfter === 0 ? state : `${state} until ${formatTime(notAfter)}`
}

/** Every checkpoint has a signature of each log key, also of old ones. */
function previousState(kind: ServiceKeyKind): string {
  return kind === 'log' ? 'also signs' : 'accepted'
}

function startOf(notBefore: number): string {
  return notBefore === forever ? 'not yet active' : `from ${formatTime(notBefore)}`
}

const exportKeys = defineCommand({
  name: 'keys export',
  summary: 'print the public keys',
  options: { json: jsonOption },
  notes: `
Root keys are pinned in the mini program; other keys are for manual verification. Includes the keys of ended logs (audit
new-origin).
`,
  environment: keysEnvironment,
  run: async ({ json }, terminal) =>
    await withKeys(terminal, async (access) => {
      const exported = await readPublicKeys(access)
      terminal.out(json ? `${JSON.stringify(exported, null, 2)}\n` : exportLines(exported).join(''))
      return 0
    }),
})

async function readPublicKeys({ config, store, wrapper, now }: KeyAccess) {
  const keyring = await openKeyring(store, wrapper, now)
  // The name of the future log, before the first start.
  const [newest, ...ended] = (await store.listLogStates()).map(({ origin }) => origin).reverse()
  const name = newest ?? config.log.origin ?? defaultOrigin(authorityOf(publicOrigin(config)), now)
  return {
    roots: keyring.published('root', now).map(({ publicKey }) => encodeBase64Url(publicKey)),
    signing: publicKeys(keyring, 'signing', now),
    token: publicKeys(keyring, 'token', now),
    agreement: publicKeys(keyring, 'agreement', now),
    log: publishedLogKeys(keyring, { origin: name, ended }, now),
    log_keys: published(keyring, 'log', now).map(({ kid, publicKey, nbf, exp }) => {
      return { kid, vkey: noteVerifierKey(name, publicKey), nbf, exp }
    }),
  }
}

function publicKeys(keyring: Keyring, kind: ServiceKeyKind, now: number) {
  return published(keyring, kind, now).map(({ kid, publicKey, nbf, exp }) => {
    return { kid, x: encodeBase64Url(publicKey), nbf, exp }
  })
}

function exportLines(exported: Awaited<ReturnType<typeof readPublicKeys>>): readonly string[] {
  const { roots, signing, token, agreement, log_keys, log } = exported
  return [
    ...roots.map((root) => `root       ${root}\n`),
    ...signing.map(({ x }) => `signing    ${x}\n`),
    ...token.map(({ x }) => `token      ${x}\n`),
    ...agreement.map(({ x }) => `agreement  ${x}\n`),
    ...log_keys.map(({ vkey }) => `log        ${vkey}\n`),
    ...(log.ended ?? []).map((vkey) => `ended log  ${vkey}\n`),
  ]
}

const rotatable = ['agreement', 'signing', 'token', 'log'] as const satisfies readonly RotatableKind[]

const rotate = defineCommand({
  name: 'keys rotate',
  summary: 'create the next key of a kind',
  arguments: { kind: { help: `${rotatable.join(', ')}, root or master` } },
  notes: `
The previous key remains valid as long as clients may use it. Running services load the new key within 15 seconds.

  log      both keys sign checkpoints for two days
  root     the new key is exported for pinning, and signs only after keys activate
  master   wraps all stored secrets with a new master key; set MINISEAL_MASTER_KEY=<new>,<old>
`,
  environment: keysEnvironment,
  async run({ kind }, terminal) {
    if (kind === 'master') return await withKeys(terminal, (access) => rewrap(access, terminal))
    if (kind === 'root') return await withKeys(terminal, (access) => rotateRoot(access, terminal))
    const found = rotatable.find((candidate) => candidate === kind)
    if (found === undefined) throw new UsageError(`KIND must be one of ${rotatable.join(', ')}, root, master`)
    return await withKeys(terminal, async ({ store, wrapper, now }) => {
      await openKeyring(store, wrapper, now)
      const { kid, notBefore } = await rotateKey(store, wrapper, found, now)
      const start = notBefore > now ? `from ${formatTime(notBefore)}` : 'immediately'
      terminal.out(`new ${found} key ${kid}, used ${start}\n`)
      if (found === 'log') terminal.out(logRotationNotes(now))
      return 0
    })
  },
})

function logRotationNotes(now: number): string {
  return (
    'Both keys sign checkpoints.\n' +
    `Clients receive the new key from ${formatTime(now + configurationLifetime)} on; ` +
    `the old key signs until ${formatTime(now + 2 * configurationLifetime)}.\n` +
    'Give auditors and witnesses the new verifier key: miniseal keys export\n'
  )
}

async function rotateRoot({ store, wrapper, now }: KeyAccess, terminal: Terminal): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  const kid = await asCommandFailed(() => createNextRootKey(store, wrapper, keyring, now), RotationRefused)
  terminal.out(
    `new root key ${kid}, not yet active\n` +
      'Release the mini program with both root keys of: miniseal keys export\n' +
      `When older releases are no longer in use: miniseal keys activate root ${kid}\n`,
  )
  return 0
}

async function rewrap({ store, wrapper, now }: KeyAccess, terminal: Terminal): Promise<ExitCode> {
  // Fails before the first write if a required key cannot be unwrapped.
  await openKeyring(store, wrapper, now)
  const progress = startProgress(terminal, 'rewrapping')
  const { rewrapped, remaining, unreadable } = await rewrapAll(store, wrapper, progress.show)
  progress.clear()
  terminal.out(`${rewrapped} values wrapped with the current master key\n`)
  if (remaining === 0) {
    terminal.out('No values are under an old master key; the old key can be removed.\n')
    return 0
  }
  if (unreadable > 0) terminal.err(`${unreadable} values cannot be unwrapped with the given master keys\n`)
  if (remaining > unreadable) {
    terminal.err(
      `${remaining - unreadable} values were just written with an old master key: ` +
        'restart all services with the new key, then run the command again\n',
    )
  }
  return 1
}

const activate = defineCommand({
  name: 'keys activate',
  summary: 'sign channel configurations with the next root key',
  arguments: { kind: { help: 'root' }, key: keyArgument },
  options: {
    at: { type: 'string', value: 'TIME', help: 'start, such as 2026-01-31T08:00:00Z (default: now)' },
  },
  environment: keysEnvironment,
  async run({ kind, key, at }, terminal) {
    if (kind !== 'root') throw new UsageError('KIND must be root')
    const time = at === undefined ? undefined : parseTime(at)
    return await withKeys(terminal, async ({ store, wrapper, now }) => {
      if (time !== undefined && time < now) throw new UsageError('--at is in the past')
      const keyring = await openKeyring(store, wrapper, now)
      const from = await asCommandFailed(
        () => activateRootKey(store, keyring, key, time ?? now, now),
        RotationRefused,
      )
      terminal.out(
        `root key ${key} signs configurations from ${from > now + 1 ? formatTime(from) : 'now on'}\n`,
      )
      return 0
    })
  },
})

/** @throws UsageError */
function parseTime(text: string): number {
  const milliseconds = /^\d{4}-\d{2}-\d{2}T[0-9:]+Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(milliseconds)) throw new UsageError('--at must be a time such as 2026-01-31T08:00:00Z')
  return Math.floor(milliseconds / 1000)
}

const revocable: readonly RevocableKind[] = ['root', ...rotatable]

const revoke = defineCommand({
  name: 'keys revoke',
  summary: 'revoke a compromised key',
  arguments: { kind: { help: revocable.join(', ') }, key: keyArgument },
  options: { now: { type: 'boolean', help: 'required; without a revocation, rotated keys expire' } },
  notes: `
The next key is used immediately. Everything made with the revoked key is refused.
`,
  environment: keysEnvironment,
  async run(values, terminal) {
    const kind = revocable.find((candidate) => candidate === values.kind)
    if (kind === undefined) throw new UsageError(`KIND must be one of ${revocable.join(', ')}`)
    if (!values.now) throw new UsageError('--now is required; a rotated key expires without it')
    return await withKeys(terminal, async ({ store, wrapper, now }) => {
      const keyring = await openKeyring(store, wrapper, now)
      const next = await asCommandFailed(
        () => revokeKey(store, keyring, kind, values.key, now),
        RotationRefused,
      )
      terminal.out(`revoked ${kind} key ${values.key}; ${next} is active\n`)
      return 0
    })
  },
})

export const keys = defineGroup('keys', [list, exportKeys, rotate, activate, revoke])
