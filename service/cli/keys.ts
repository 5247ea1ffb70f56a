/** `miniseal keys`: list, rotate and export the service's keys. */
import { parseArgs } from 'node:util'
import { encodeBase64Url } from '../../crypto/text.ts'
import type { Config } from '../config.ts'
import { readConfig } from '../config.ts'
import type { Keyring, RotatableKind } from '../keys/keyring.ts'
import { openKeyring, rotateKey } from '../keys/keyring.ts'
import { logOrigin, noteVerifierKey, published } from '../keys/publication.ts'
import { serviceKeyKinds } from '../keys/service-key.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import type { ServiceKeyKind, Store } from '../store/store.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { UsageError } from './command.ts'
import { findDevelopmentFile } from './development-file.ts'

const usage = `usage: miniseal keys list
       miniseal keys rotate agreement|signing|token
       miniseal keys export [--json]

list     every key in use: kind, name, from when and until when
rotate   makes the next key of a kind; the present one stays accepted for as long as clients may hold it.
         A running service takes it up within 15 seconds.
export   public keys: root keys to pin in the mini program, the others for whoever verifies by hand
`

const rotatable: readonly RotatableKind[] = ['agreement', 'signing', 'token']

export const keys: Command = {
  summary: "list, rotate or export the service's keys",
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false } },
      allowPositionals: true,
      strict: true,
    })
    const [action, kind, ...more] = positionals
    if (more.length > 0) throw new UsageError('too many arguments')
    const config = readConfig(terminal.environment)
    const run = actionOf(action, kind, values.json, originOf(config))
    const store = await openStore(config.database)
    try {
      const wrapper = createSecretWrapper(config.masterKeys)
      return await run({ store, wrapper, terminal, now: Math.floor(Date.now() / 1000) })
    } finally {
      await store.close()
    }
  },
}

interface Situation {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly terminal: Terminal
  /** UNIX seconds. */
  readonly now: number
}

type Action = (situation: Situation) => Promise<ExitCode>

function actionOf(
  action: string | undefined,
  kind: string | undefined,
  isJson: boolean,
  origin: string,
): Action {
  if (action === 'rotate') {
    const found = rotatable.find((candidate) => candidate === kind)
    if (found === undefined) throw new UsageError(`keys rotate takes one of ${rotatable.join(', ')}`)
    return (situation) => rotate(situation, found)
  }
  if (kind !== undefined) throw new UsageError(`keys ${action ?? ''} takes no kind`)
  if (action === 'list') return list
  if (action === 'export') return (situation) => exportKeys(situation, isJson, origin)
  throw new UsageError('keys takes list, rotate or export')
}

/** The origin as the service itself has it: given, or left by the development service that runs here. */
function originOf({ origin, dataFolder, host, port }: Config): string {
  return origin ?? findDevelopmentFile(dataFolder)?.origin ?? `http://${host}:${port}`
}

async function list({ store, wrapper, terminal, now }: Situation): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  for (const kind of serviceKeyKinds) {
    for (const key of keyring.published(kind, now)) {
      const from = key.notBefore > now ? `from ${day(key.notBefore)}` : 'in use'
      const until = key.notAfter === 0 ? '' : ` until ${day(key.notAfter)}`
      terminal.out(`${kind.padEnd(10)} ${key.kid}  ${from}${until}\n`)
    }
  }
  return 0
}

async function rotate({ store, wrapper, terminal, now }: Situation, kind: RotatableKind): Promise<ExitCode> {
  await openKeyring(store, wrapper, now)
  const { kid, notBefore } = await rotateKey(store, wrapper, kind, now)
  terminal.out(`new ${kind} key ${kid}, used ${notBefore > now ? `from ${day(notBefore)}` : 'from now on'}\n`)
  return 0
}

async function exportKeys(
  { store, wrapper, terminal, now }: Situation,
  isJson: boolean,
  origin: string,
): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  const roots = keyring.published('root', now).map(({ publicKey }) => encodeBase64Url(publicKey))
  const logKey = keyring.current('log', now)
  const name = logOrigin(origin, logKey)
  const log = { origin: name, vkey: noteVerifierKey(name, logKey.publicKey) }
  const signing = exported(keyring, 'signing', now)
  const agreement = exported(keyring, 'agreement', now)
  if (isJson) {
    terminal.out(`${JSON.stringify({ roots, signing, agreement, log }, null, 2)}\n`)
    return 0
  }
  const lines = [
    ...roots.map((root) => `root       ${root}`),
    ...signing.map(({ x }) => `signing    ${x}`),
    ...agreement.map(({ x }) => `agreement  ${x}`),
    `log        ${log.vkey}`,
  ]
  terminal.out(`${lines.join('\n')}\n`)
  return 0
}

function exported(keyring: Keyring, kind: ServiceKeyKind, now: number) {
  return published(keyring, kind, now).map(({ kid, publicKey, nbf, exp }) => {
    return { kid, x: encodeBase64Url(publicKey), nbf, exp }
  })
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
