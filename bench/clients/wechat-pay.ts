/** Clients of the peer in `../peers/wechat-pay.ts`. */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { fieldOf, requestBytes, type WireResponse } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { PayCredentials } from '../peers/wechat-pay.ts'
import { openContent, payScheme, sealContent } from '../peers/wechat-pay.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferResponse, repeat, transferBody } from './client.ts'

export function wechatPayClient({ secrets }: Target): PeerClient {
  const serverKey = createPublicKey(secrets.server ?? '')
  const clients = (JSON.parse(secrets.clients ?? '[]') as readonly PayCredentials[]).map((client) => ({
    merchant: client.merchant,
    key: createPrivateKey(client.key),
    contentKey: Buffer.from(client.contentKey, 'base64'),
  }))
  const make = async (index: number, timestamp: number, text: string): Promise<Prepared> => {
    const client = clients[index % clients.length]
    if (client === undefined) throw new Error('no client has enrolled')
    const body = sealContent(text, client.contentKey)
    const nonce = randomBytes(16).toString('hex')
    const signed = Buffer.from(`POST\n/transfers\n${timestamp}\n${nonce}\n${body}\n`)
    const signature = sign('sha256', signed, client.key).toString('base64')
    const parts = { mchid: client.merchant, nonce_str: nonce, signature, timestamp, serial_no: 'A1B2C3D4' }
    const written = Object.entries(parts).map(([name, value]) => `${name}="${value}"`)
    const fields = {
      'content-type': 'application/json',
      authorization: `${payScheme} ${written.join(',')}`,
    }
    return {
      bytes: requestBytes('POST', '/transfers', fields, body),
      check: async (response) => {
        const content = String(response.body)
        const isGood = verify('sha256', signedPart(response, content), serverKey, signatureOf(response))
        if (!isGood) throw new Error('the signature of the response does not verify')
        assertTransferResponse(response, openContent(content, client.contentKey))
      },
    }
  }
  const now = (): number => Math.floor(Date.now() / 1_000)
  return {
    prepare: (_shape, count, content) =>
      repeat(count, (index) => make(index, now(), transferBody(content, index))),
    expired: () => make(0, now() - 600, transferBody(200, 0)),
  }
}

function signedPart(response: WireResponse, content: string): Buffer {
  const [time, nonce] = [fieldOf(response, 'wechatpay-timestamp'), fieldOf(response, 'wechatpay-nonce')]
  return Buffer.from(`${time}\n${nonce}\n${content}\n`)
}

function signatureOf(response: WireResponse): Buffer {
  return Buffer.from(fieldOf(response, 'wechatpay-signature') ?? '', 'base64')
}
