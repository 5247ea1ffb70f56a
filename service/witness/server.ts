/** A running witness: its HTTP server, and the loops that poll logs. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { encodeHex, encodeUtf8 } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { NoteSigner, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { type Loop, startLoop } from '../tlog/loop.ts'
import { LogUnreadable, readGrowth } from './log-follower.ts'
import { openWitnessStore } from './store.ts'
import type { AddCheckpoint, Witness } from './witness.ts'
import {
  CheckpointRefused,
  createWitness,
  LogForked,
  maxRequestLength,
  parseAddCheckpoint,
} from './witness.ts'

/** Poll period of followed logs; milliseconds. */
const defaultPeriod = 60_000
/** Request timeout in milliseconds. */
const slowestRequest = 20_000

/** A log that the witness cosigns. */
export interface WitnessedLog {
  readonly key: VerifierKey
  /** Polled if given; otherwise the log submits its checkpoints. */
  readonly url?: string
}

/** Events for the operator. */
export type WitnessEvent =
  | { readonly kind: 'seen'; readonly origin: string; readonly size: number }
  /** The log is inconsistent with an earlier checkpoint: a fork or a rollback. */
  | {
      readonly kind: 'inconsistent'
      readonly origin: string
      readonly message: string
      /** The evidence: the new note, and the latest one before. */
      readonly notes: readonly string[]
    }
  | { readonly kind: 'unreadable'; readonly origin: string; readonly message: string }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface WitnessSettings {
  readonly logs: readonly WitnessedLog[]
  readonly signer: NoteSigner
  /** Path of the SQLite file. */
  readonly database: string
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** UNIX seconds. */
  readonly now: () => number
  readonly onEvent: (event: WitnessEvent) => void
  /** Poll period of followed logs; milliseconds. */
  readonly period?: number
}

export interface RunningWitness {
  readonly url: string
  stop(): Promise<void>
}

/** @throws Error if the database cannot be opened or the port is in use */
export async function startWitness(settings: WitnessSettings): Promise<RunningWitness> {
  const { logs, signer, now, onEvent } = settings
  const store = openWitnessStore(settings.database)
  const witness = createWitness({ keys: logs.map(({ key }) => key), signer, store, now })
  const app = createWitnessApp({
    witness: reported(witness, onEvent),
    origins: logs.map(({ key }) => key.name),
    onFailure: (error) => onEvent({ kind: 'failed', error }),
  })
  const server = createServer(getRequestListener(app.fetch))
  server.requestTimeout = slowestRequest
  server.headersTimeout = slowestRequest
  try {
    server.listen(settings.port, settings.host)
    await once(server, 'listening')
  } catch (error) {
    store.close()
    throw error
  }
  const followers = logs.flatMap(({ key, url }) =>
    url === undefined ? [] : [follow(witness, key.name, url, settings)],
  )
  return {
    url: urlOf(server, settings.host),
    async stop() {
      await Promise.all(followers.map((follower) => follower.stop()))
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeIdleConnections()
      await closed
      store.close()
    },
  }
}

/** Wraps a witness: reports requests to the operator. */
function reported(witness: Witness, onEvent: WitnessSettings['onEvent']): Witness {
  return {
    ...witness,
    addCheckpoint(request) {
      const { origin, size } = parseCheckpointNote(request.note).checkpoint
      try {
        const line = witness.addCheckpoint(request)
        onEvent({ kind: 'seen', origin, size })
        return line
      } catch (error) {
        // Clients can cause the other refusals, for example with a wrong proof.
        if (error instanceof LogForked) onEvent(inconsistency(witness, origin, request, error))
        throw error
      }
    },
  }
}

function inconsistency(
  witness: Witness,
  origin: string,
  { note }: AddCheckpoint,
  { message }: CheckpointRefused,
): WitnessEvent {
  const latest = witness.latest(origin)
  return { kind: 'inconsistent', origin, message, notes: latest === undefined ? [note] : [note, latest] }
}

/** Polls a log. */
function follow(
  witness: Witness,
  origin: string,
  url: string,
  { onEvent, period = defaultPeriod }: WitnessSettings,
): Loop {
  const poll = async (): Promise<void> => {
    try {
      const latest = witness.latest(origin)
      const seen = latest === undefined ? 0 : parseCheckpointNote(latest).checkpoint.size
      onEvent(take(witness, origin, await readGrowth(url, seen)))
    } catch (error) {
      if (error instanceof LogUnreadable) onEvent({ kind: 'unreadable', origin, message: error.message })
      else onEvent({ kind: 'failed', error })
    }
  }
  const loop = startLoop(poll, { pause: 0, period })
  loop.notify()
  return loop
}

function take(witness: Witness, origin: string, growth: AddCheckpoint): WitnessEvent {
  try {
    witness.addCheckpoint(growth)
    return { kind: 'seen', origin, size: parseCheckpointNote(growth.note).checkpoint.size }
  } catch (error) {
    if (!(error instanceof CheckpointRefused)) throw error
    // 400: the log became smaller. 422: the proof from its tiles is invalid.
    if (error.status === 400 || error.status === 422) return inconsistency(witness, origin, growth, error)
    return { kind: 'unreadable', origin, message: error.message }
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

// Routes (C2SP tlog-witness).

const plainText = 'text/plain; charset=utf-8'

interface WitnessAppOptions {
  readonly witness: Witness
  /** The origins of the cosigned logs. */
  readonly origins: readonly string[]
  /** Internal errors, such as a full disk. */
  readonly onFailure: (error: unknown) => void
}

function createWitnessApp({ witness, origins, onFailure }: WitnessAppOptions): Hono {
  const app = new Hono()
  const byHash = new Map(
    origins.map((origin) => [encodeHex(sodiumPrimitives.sha256(encodeUtf8(origin))), origin]),
  )
  app.use(secureHeaders())
  app.use(bodyLimit({ maxSize: maxRequestLength, onError: (c) => c.text('request too large\n', 413) }))
  app.post('/add-checkpoint', async (c) => {
    const request = parseAddCheckpoint(new Uint8Array(await c.req.arrayBuffer()))
    return c.body(witness.addCheckpoint(request), 200, { 'content-type': plainText })
  })
  app.get('/:hash/checkpoint', (c) => {
    const origin = byHash.get(c.req.param('hash'))
    const note = origin === undefined ? undefined : witness.latest(origin)
    if (note === undefined) return c.notFound()
    return c.body(note, 200, { 'content-type': plainText, 'cache-control': 'no-cache' })
  })
  app.notFound((c) => c.text('not found\n', 404))
  app.onError((error, c) => {
    if (!(error instanceof CheckpointRefused)) {
      onFailure(error)
      return c.text('internal error\n', 500)
    }
    if (error.status === 409) return c.body(`${error.size}\n`, 409, { 'content-type': 'text/x.tlog.size' })
    return c.text(`${error.message}\n`, error.status)
  })
  return app
}
