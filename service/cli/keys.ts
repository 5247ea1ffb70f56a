/** `miniseal keys`: list, export and change the service's keys. */
import { parseArgs } from 'node:util'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import type { Keyring } from '../keys/keyring.ts'
import { forever, openKeyring } from '../keys/keyring.ts'
import { noteVerifierKey, published, publishedLogKeys } from '../keys/publication.ts'
import { countOld } from '../keys/rewrapping.ts'
import { serviceKeyKinds } from '../keys/service-key.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import type { ServiceKeyKind } from '../store/store.ts'
import { logKeyChanges } from '../tlog/key-leaves.ts'
import { defaultOrigin } from '../tlog/origin.ts'
import type { Command, ExitCode } from './command.ts'
import { isThumbprint, UsageError } from './command.ts'
import { findDevelopmentFile } from './development-file.ts'
import type { Action, ChangeOptions, Situation } from './key-changes.ts'
import { day, endAction, rotateAction, useAction } from './key-changes.ts'
import { openOperatorAppender } from './operator-journal.ts'

const usage = `usage: miniseal keys list
       miniseal keys export [--json]
       miniseal keys rotate agreement|signing|token|log
       miniseal keys rotate root
       miniseal keys use root KEY [--at TIME]
       miniseal keys rotate master
       miniseal keys end agreement|signing|token|log|root KEY --now

list     every key in use: kind, name, from when and until when; and values still under an old master key
export   public keys: root keys to pin in the mini program, the others for whoever verifies by hand; also those of
         logs that have ended (audit new-origin)
rotate   makes the next key of a kind; the present one stays accepted for as long as clients may hold it.
         A running service takes it up within 15 seconds.
         log: the new one signs checkpoints beside the present one, for two days.
         root: the next one is exported, to be pinned, and signs nothing before keys use.
         master: wraps every stored secret anew, with MINISEAL_MASTER_KEY=<new>,<old>, while services run.
use      signs configurations with this root key, from now on or from --at (2026-01-31T08:00:00Z)
end      for a key that has leaked: nothing of it is accepted any more; the next one is used at once
`

const mark = 'name:'

export const keys: Command = {
  summary: "list, export, rotate or end the service's keys",
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      // Marked, so that a name with a hyphen in front is not read as an option.
      args: args.map((word) => (isThumbprint(word) ? `${mark}${word}` : word)),
      options: {
        json: { type: 'boolean', default: false },
        now: { type: 'boolean', default: false },
        at: { type: 'string' },
      },
      allowPositionals: true,
      strict: true,
    })
    const config = readConfig(terminal.environment)
    const words = positionals.map((word) => (word.startsWith(mark) ? word.slice(mark.length) : word))
    const names = { origin: originOf(config), logOrigin: config.log.origin }
    const run = actionOf(words, { ...values, at: values.at }, names)
    const store = await openStore(config.database)
    try {
      const wrapper = createSecretWrapper(config.masterKeys)
      const { appender } = await openOperatorAppender(store, terminal)
      return await run({
        store: logKeyChanges(store, appender),
        wrapper,
        terminal,
        now: Math.floor(Date.now() / 1000),
      })
    } finally {
      await store.close()
    }
  },
}

interface Options extends ChangeOptions {
  readonly json: boolean
}

/** Public names that keys are exported with. */
interface Names {
  readonly origin: string
  readonly logOrigin: string | undefined
}

function actionOf(positionals: readonly string[], options: Options, names: Names): Action {
  const [action, kind, kid, ...more] = positionals
  if (more.length > 0) throw new UsageError('too many arguments')
  if (action === 'use') return useAction(kind, kid, options)
  if (action === 'end') return endAction(kind, kid, options)
  if (kid !== undefined) throw new UsageError('too many arguments')
  if (action === 'rotate') return rotateAction(kind)
  if (kind !== undefined) throw new UsageError(`keys ${action ?? ''} takes no kind`)
  if (action === 'list') return list
  if (action === 'export') return (situation) => exportKeys(situation, options.json, names)
  throw new UsageError('keys takes list, export, rotate, use or end')
}

/** The origin as the service itself has it: given, or left by the development service that runs here. */
function originOf({ origin, dataFolder, host, port }: Config): string {
  return origin ?? findDevelopmentFile(dataFolder)?.origin ?? `http://${host}:${port}`
}

async function list({ store, wrapper, terminal, now }: Situation): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  for (const kind of serviceKeyKinds) {
    const [current] = keyring.published(kind, now)
    for (const key of keyring.published(kind, now)) {
      const from = key.notBefore > now ? comingAt(key.notBefore) : key === current ? 'in use' : former(kind)
      const until = key.notAfter === 0 ? '' : ` until ${day(key.notAfter)}`
      terminal.out(`${kind.padEnd(10)} ${key.kid}  ${from}${until}\n`)
    }
  }
  const old = await countOld(store, wrapper)
  terminal.out(`${'master'.padEnd(10)} ${old === 0 ? 'no value' : `${old} values`} under an old key\n`)
  return 0
}

/** Old log keys sign on: every checkpoint carries a signature of each. */
function former(kind: ServiceKeyKind): string {
  return kind === 'log' ? 'signs too' : 'accepted'
}

function comingAt(notBefore: number): string {
  return notBefore === forever ? 'not used yet' : `from ${day(notBefore)}`
}

async function exportKeys(
  { store, wrapper, terminal, now }: Situation,
  isJson: boolean,
  { origin, logOrigin }: Names,
): Promise<ExitCode> {
  const keyring = await openKeyring(store, wrapper, now)
  const roots = keyring.published('root', now).map(({ publicKey }) => encodeBase64Url(publicKey))
  // Before the first start there is no log; it will have this name.
  const [newest, ...ended] = (await store.listLogStates()).map((state) => state.origin).reverse()
  const name = newest ?? logOrigin ?? defaultOrigin(authorityOf(origin), now)
  const log = publishedLogKeys(keyring, { origin: name, ended }, now)
  const logKeys = published(keyring, 'log', now).map(({ kid, publicKey, nbf, exp }) => {
    return { kid, vkey: noteVerifierKey(name, publicKey), nbf, exp }
  })
  const signing = exported(keyring, 'signing', now)
  const token = exported(keyring, 'token', now)
  const agreement = exported(keyring, 'agreement', now)
  if (isJson) {
    terminal.out(`${JSON.stringify({ roots, signing, token, agreement, log, log_keys: logKeys }, null, 2)}\n`)
    return 0
  }
  const lines = [
    ...roots.map((root) => `root       ${root}`),
    ...signing.map(({ x }) => `signing    ${x}`),
    ...token.map(({ x }) => `token      ${x}`),
    ...agreement.map(({ x }) => `agreement  ${x}`),
    ...logKeys.map(({ vkey }) => `log        ${vkey}`),
    ...(log.ended ?? []).map((vkey) => `ended log  ${vkey}`),
  ]
  terminal.out(`${lines.join('\n')}\n`)
  return 0
}

function exported(keyring: Keyring, kind: ServiceKeyKind, now: number) {
  return published(keyring, kind, now).map(({ kid, publicKey, nbf, exp }) => {
    return { kid, x: encodeBase64Url(publicKey), nbf, exp }
  })
}
