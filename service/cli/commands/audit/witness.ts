import { hostname } from 'node:os'
import { FormatError } from 'miniseal-protocol/errors'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../../../keys/sodium-primitives.ts'
import { openWitnessKey, WitnessKeyError, witnessVerifierKey } from '../../../witness/key.ts'
import type { WitnessEvent, WitnessedLog } from '../../../witness/server.ts'
import { startWitness } from '../../../witness/server.ts'
import type { Terminal } from '../../command.ts'
import { asCommandFailed, defineCommand, UsageError } from '../../command.ts'
import { currentTime } from '../../database.ts'
import { hostOption, parsePort } from '../../option-values.ts'
import { drawLine, untilSignal } from '../../terminal.ts'

export const witness = defineCommand({
  name: 'audit witness',
  summary: 'run a witness that cosigns consistent checkpoints of logs',
  isServer: true,
  options: {
    log: {
      type: 'string',
      value: 'VKEY[=URL]',
      multiple: true,
      help: `required: verifier key of a log, as printed by miniseal keys export; give
the next key too. With =URL (https://pay.example.com/log) the witness polls
the log every minute; without it the log submits its checkpoints`,
    },
    db: {
      type: 'string',
      value: 'PATH',
      help: `required: SQLite file of the witness; its key is in PATH.key, created at
the first start. Without these files it cannot detect a fork`,
    },
    port: { type: 'string', value: 'PORT', default: '8790', help: 'port to listen on' },
    host: hostOption,
    name: {
      type: 'string',
      value: 'NAME',
      help: 'name of a new key, without spaces (default: HOSTNAME/witness)',
    },
  },
  notes: `
A witness (C2SP tlog-witness) stores the last checkpoint of each log and cosigns the next one only if it extends the log.
It receives sizes, roots and proofs, but no entries. Run it where the operator of the log has no access. It reports an
inconsistent log on standard error, with both signed checkpoints.

It prints its verifier key. Add the key to the policy file of the log (MINISEAL_LOG_POLICY_FILE) and of its verifiers,
with the URL of the witness unless it polls:

  witness NAME VERIFIER-KEY URL

Routes:

  POST /add-checkpoint          submits a checkpoint
  GET  /HASH/checkpoint         the last checkpoint with the cosignature; HASH: SHA-256 of the log's origin, in hex
`,
  async run({ log, db, port, host, name }, terminal) {
    if (db === undefined) throw new UsageError('--db is required')
    const portNumber = parsePort(port)
    const logs = log.map(parseLog)
    if (logs.length === 0) throw new UsageError('--log is required')
    const signer = await asCommandFailed(
      () => openWitnessKey(`${db}.key`, name, `${hostname()}/witness`),
      WitnessKeyError,
    )
    const draw = drawLine(terminal)
    const running = await startWitness({
      logs,
      signer,
      database: db,
      host,
      port: portNumber,
      now: currentTime,
      onEvent: (event) => show(event, draw, terminal),
    })
    terminal.out(`witness listening on ${running.url}\n`)
    terminal.out(`${witnessVerifierKey(signer)}\n`)
    await untilSignal()
    await running.stop()
    draw('')
    return 0
  },
})

/** @throws UsageError */
function parseLog(text: string): WitnessedLog {
  const [, vkey = '', url] = /^(.+?\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44})(?:=(.*))?$/.exec(text) ?? []
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url))
    throw new UsageError('the URL of --log must be such as https://pay.example.com/log')
  try {
    const key = parseVerifierKey(sodiumPrimitives, vkey)
    if (key.kind !== 'ed25519') throw new UsageError('--log must be the key of a log, not of a witness')
    return url === undefined ? { key } : { key, url }
  } catch (error) {
    if (error instanceof FormatError) throw new UsageError('--log must be a verifier key NAME+HASH+KEY')
    throw error
  }
}

/** On a terminal, successful checks replace one line; problems are printed. */
function show(event: WitnessEvent, draw: (line: string) => void, terminal: Terminal): void {
  if (event.kind === 'seen') {
    draw(`${event.origin}: ${event.size} entries, cosigned ${new Date().toISOString().slice(11, 19)} UTC`)
    return
  }
  draw('')
  terminal.err(`miniseal audit witness: ${describe(event)}`)
}

function describe(event: Exclude<WitnessEvent, { readonly kind: 'seen' }>): string {
  switch (event.kind) {
    case 'inconsistent':
      return `${event.origin} is inconsistent: ${event.message}. Keep both checkpoints:\n\n${event.notes.join('\n')}`
    case 'unreadable':
      return `${event.origin}: ${event.message}\n`
    case 'failed':
      return `the witness failed: ${event.error instanceof Error ? event.error.message : 'unknown error'}\n`
  }
}
