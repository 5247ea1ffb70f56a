/** The routes of a witness (C2SP tlog-witness). */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { encodeHex, encodeUtf8 } from 'miniseal-protocol/text'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { CheckpointRefused, maxRequestLength, parseAddCheckpoint } from './add-checkpoint.ts'
import type { Witness } from './witness.ts'

const plainText = 'text/plain; charset=utf-8'

export interface WitnessAppOptions {
  readonly witness: Witness
  /** Of the logs that it knows. */
  readonly origins: readonly string[]
  /** Told of what is nobody's fault but this witness's: a disk that is full. */
  readonly onFailure: (error: unknown) => void
}

export function createWitnessApp({ witness, origins, onFailure }: WitnessAppOptions): Hono {
  const app = new Hono()
  const byHash = new Map(
    origins.map((origin) => [encodeHex(sodiumPrimitives.sha256(encodeUtf8(origin))), origin]),
  )
  app.use(secureHeaders())
  app.use(bodyLimit({ maxSize: maxRequestLength, onError: (c) => c.text('the request is too large\n', 413) }))
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
  app.notFound((c) => c.text('there is nothing here\n', 404))
  app.onError((error, c) => {
    if (!(error instanceof CheckpointRefused)) {
      onFailure(error)
      return c.text('the witness cannot do its work\n', 500)
    }
    if (error.status === 409) return c.body(`${error.size}\n`, 409, { 'content-type': 'text/x.tlog.size' })
    return c.text(`${error.message}\n`, error.status)
  })
  return app
}
