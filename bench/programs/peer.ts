/** A peer in a child process: `BENCH_PEER` names it, `BENCH_DATABASE` is its database. */
import { serve } from '@hono/node-server'
import { createDpop } from '../peers/dpop.ts'
import { createHttpSignatures } from '../peers/http-signatures.ts'
import type { CreatePeer } from '../peers/peer.ts'
import { createPlain } from '../peers/plain.ts'
import { openPeerRecords, PeerRefusal } from '../peers/records.ts'
import { createWechatPay } from '../peers/wechat-pay.ts'
import { serveCalls } from './calls.ts'

const peers: Readonly<Record<string, CreatePeer>> = {
  dpop: createDpop('dir'),
  'dpop-agreement': createDpop('ECDH-ES'),
  'http-signatures': createHttpSignatures,
  'wechat-pay': createWechatPay,
  plain: createPlain,
}

const { BENCH_PEER = '', BENCH_DATABASE = '' } = process.env
const records = openPeerRecords(BENCH_DATABASE)
const create = peers[BENCH_PEER]
if (create === undefined) throw new Error(`there is no peer ${BENCH_PEER}`)
const { app, secrets } = await create(records)
app.onError((error, c) => {
  if (error instanceof PeerRefusal) return c.json({ code: error.message }, error.status)
  process.stderr.write(`${error.stack}\n`)
  return c.json({ code: 'internal' }, 500)
})

const port = await new Promise<number>((resolve) => {
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (opened) => resolve(opened.port))
})

export const peerCalls = { where: async () => ({ port, secrets }) }

export type PeerCalls = typeof peerCalls

serveCalls(peerCalls, () => records.close())
