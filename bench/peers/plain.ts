/**
 * The upper bound: JSON over HTTP with the same handler and durable record. Its only protection is against a repeated nonce of
 * an honest client.
 */
import { Hono } from 'hono'
import { transferResponse } from '../transfer-handler.ts'
import type { CreatePeer } from './peer.ts'
import { PeerRefusal } from './records.ts'

export const createPlain: CreatePeer = async (records) => {
  const app = new Hono()
  app.post('/transfers', async (c) => {
    const text = await c.req.text()
    const nonce = c.req.header('idempotency-key')
    if (nonce === undefined) throw new PeerRefusal(400, 'nonce_missing')
    await records.keep({
      sender: 'unknown',
      nonce,
      method: 'POST',
      path: '/transfers',
      body: text,
      evidence: '',
    })
    return c.json(transferResponse(JSON.parse(text)))
  })
  return { app, secrets: {} }
}
