/** `miniseal audit witness`: cosigns what logs sign, as long as each of them only grows. */
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { FormatError } from 'miniseal-protocol/errors'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { openWitnessKey, WitnessKeyError, witnessVerifierKey } from '../witness/key.ts'
import type { WitnessEvent, WitnessedLog } from '../witness/server.ts'
import { startWitness } from '../witness/server.ts'
import type { Command, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { untilSignal } from './terminal.ts'

const usage = `usage: miniseal audit witness --log VKEY[=URL]… --db PATH [--port 8790] [--host 127.0.0.1] [--name NAME]

A witness (C2SP tlog-witness): it remembers the last checkpoint of each log that it knows, and cosigns the next one only
when that is the same log with entries added. It sees sizes, roots and proofs, and never an entry. Run it where the
operator of the log has no access.

  --log    verifier key of a log ("miniseal keys export" prints it); may be repeated, also for a next key of the same log.
           With =URL (https://pay.example.com/log) it looks there by itself, each minute, and need not be reached
           from outside; without, it waits for the log to send its checkpoints.
  --db     its SQLite file; its key is beside it, in PATH.key, made at the first start. Keep both: a witness that forgets
           what it saw is worth nothing.
  --name   name of its key, when it is made: without spaces, best a host name and a path (default: HOST/witness)

It prints its verifier key. In the policy file of the log (MINISEAL_LOG_POLICY_FILE) and of those who verify it, that is

  witness ANY-NAME VERIFIER-KEY http://…      the address where the log reaches it; none, if it looks by itself

  POST /add-checkpoint          for the log
  GET  /HASH/checkpoint         the last checkpoint with the cosignature; HASH: SHA-256 of the log's origin, in hex

A log that contradicts itself is reported on standard error, with both signed checkpoints.
`

export const witness: Command = {
  name: 'audit witness',
  summary: 'cosign the checkpoints of logs, as a witness',
  usage,
  isServer: true,
  async run(args, terminal) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        log: { type: 'string', multiple: true, default: [] as string[] },
        db: { type: 'string' },
        port: { type: 'string', default: '8790' },
        host: { type: 'string', default: '127.0.0.1' },
        name: { type: 'string' },
      },
      strict: true,
    })
    if (values.db === undefined) throw new UsageError('--db takes the file in which the witness remembers')
    if (!/^[0-9]{1,5}$/.test(values.port) || Number(values.port) > 65535)
      throw new UsageError('--port must be a port')
    const logs = values.log.map(parseLog)
    if (logs.length === 0) throw new UsageError('--log names a log to witness')
    const signer = openKey(`${values.db}.key`, values.name)
    const shown = showEvents(terminal)
    const running = await startWitness({
      logs,
      signer,
      database: values.db,
      host: values.host,
      port: Number(values.port),
      now: () => Math.floor(Date.now() / 1000),
      onEvent: shown.show,
    })
    terminal.out(`the witness listens on ${running.url}\n`)
    terminal.out(`${witnessVerifierKey(signer)}\n`)
    await untilSignal()
    await running.stop()
    shown.clear()
    return 0
  },
}

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

function openKey(path: string, name: string | undefined) {
  try {
    return openWitnessKey(path, name, `${hostname()}/witness`)
  } catch (error) {
    if (error instanceof WitnessKeyError) throw new CommandFailed(error.message)
    throw error
  }
}

/** One line that is drawn anew on a terminal; in a pipe only what is wrong. */
function showEvents(terminal: Terminal): { show(event: WitnessEvent): void; clear(): void } {
  let drawn = 0
  const draw = (line: string): void => {
    if (!terminal.isInteractive) return
    terminal.err(`\r${line.padEnd(drawn)}`)
    drawn = line.length
  }
  const clear = (): void => {
    draw('')
    draw('')
  }
  return {
    clear,
    show(event) {
      if (event.kind === 'seen') {
        draw(`${event.origin}: ${event.size} entries, cosigned ${new Date().toISOString().slice(11, 19)} UTC`)
        return
      }
      clear()
      terminal.err(describe(event))
    },
  }
}

function describe(event: Exclude<WitnessEvent, { readonly kind: 'seen' }>): string {
  switch (event.kind) {
    case 'inconsistent':
      return [
        `miniseal audit witness: ${event.origin} contradicts itself: ${event.message}. Keep this:\n`,
        ...event.notes,
      ].join('\n')
    case 'unreadable':
      return `miniseal audit witness: ${event.origin}: ${event.message}\n`
    case 'failed':
      return `miniseal audit witness: it cannot do its work: ${event.error instanceof Error ? event.error.message : 'unknown'}\n`
  }
}
