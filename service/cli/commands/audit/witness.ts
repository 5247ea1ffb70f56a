import { hostname } from 'node:os'
import { FormatError } from 'miniseal-protocol/errors'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../../../keys/sodium-primitives.ts'
import { openWitnessKey, WitnessKeyError, witnessVerifierKey } from '../../../witness/key.ts'
import type { WitnessEvent, WitnessedLog } from '../../../witness/server.ts'
import { startWitness } from '../../../witness/server.ts'
import type { Terminal } from '../../command.ts'
import { asCommandFailed, defineCommand, UsageError } from '../../command.ts'
import { drawLine, untilSignal } from '../../terminal.ts'

export const witness = defineCommand({
  name: 'audit witness',
  summary: 'run a witness: cosign the checkpoints of logs that only grow',
  isServer: true,
  options: {
    log: {
      type: 'string',
      value: 'VKEY[=URL]',
      multiple: true,
      help: `verifier key of a log, as miniseal keys export prints it; also of its next
key. With =URL (https://pay.example.com/log) the witness polls the log
every minute; without, the log submits its checkpoints`,
    },
    db: {
      type: 'string',
      value: 'PATH',
      help: `required: the SQLite file of the witness; its key is in PATH.key, created at
the first start. Keep both: without them it cannot detect a fork`,
    },
    port: { type: 'string', value: 'PORT', default: '8790', help: 'port to listen on' },
    host: { type: 'string', value: 'HOST', default: '127.0.0.1', help: 'address to listen on' },
    name: {
      type: 'string',
      value: 'NAME',
      help: 'name of a new key, without spaces; default: HOST/witness',
    },
  },
  notes: `
A witness (C2SP tlog-witness) stores the last checkpoint of each log, and cosigns the next one only if it extends the
log. It receives sizes, roots and proofs, but no entries. Run it where the operator of the log has no access. It reports
an inconsistent log on standard error, with both signed checkpoints.

It prints its verifier key. Add it to the policy file of the log (MINISEAL_LOG_POLICY_FILE) and of its verifiers:

  witness ANY-NAME VERIFIER-KEY http://…      URL where the log reaches the witness; none if the witness polls

  POST /add-checkpoint          for the log
  GET  /HASH/checkpoint         the last checkpoint with the cosignature; HASH: SHA-256 of the log's origin, in hex
`,
  async run({ log, db, port, host, name }, terminal) {
    if (db === undefined) throw new UsageError('--db is required: the SQLite file of the witness')
    if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535)
      throw new UsageError('--port takes a port, 0 to 65535')
    const logs = log.map(parseLog)
    if (logs.length === 0) throw new UsageError('--log is required: the verifier key of a log')
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
      port: Number(port),
      now: () => Math.floor(Date.now() / 1000),
      onEvent: (event) => show(event, draw, terminal),
    })
    terminal.out(`the witness listens on ${running.url}\n`)
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
    throw new UsageError('--log VKEY=URL takes an address like https://pay.example.com/log')
  try {
    const key = parseVerifierKey(sodiumPrimitives, vkey)
    if (key.kind !== 'ed25519') throw new UsageError('--log takes the key of a log, not of a witness')
    return url === undefined ? { key } : { key, url }
  } catch (error) {
    if (error instanceof FormatError) throw new UsageError('--log takes a verifier key: NAME+HASH+BASE64')
    throw error
  }
}

/** Successful checks replace one line of a terminal; problems are printed. */
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
