/**
 * The scheme of WeChat Pay's API v3: `WECHATPAY2-SHA256-RSA2048` over method, path, time, nonce and body, content encrypted
 * with AES-256-GCM, and responses signed in the fields `Wechatpay-…`, all with `node:crypto`. Every key is imported once.
 *
 * Protection: method, path and body are authenticated, a nonce is accepted once, responses are signed and content is
 * encrypted. Limits: the signature of a response does not cover its request; the host is not signed; path, client and
 * signature are readable on the network; there is no session to end, no forward secrecy, and no log that proves requests.
 * The API requires RSA, which verifies fast and signs slowly. Keys of clients are read from memory; a service with many
 * clients would look them up.
 */
import {
  createCipheriv,
  createDecipheriv,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { Hono } from 'hono'
import { transferResponse } from '../transfer-handler.ts'
import type { CreatePeer } from './peer.ts'
import { isInWindow, peerClients } from './peer.ts'
import { PeerRefusal } from './records.ts'

export const payScheme = 'WECHATPAY2-SHA256-RSA2048'

/** Credentials of one client for the load generator. */
export interface PayCredentials {
  readonly merchant: string
  /** PKCS #8. */
  readonly key: string
  /** 32 bytes, base64. */
  readonly contentKey: string
}

interface Enrolled {
  readonly publicKey: KeyObject
  readonly contentKey: Buffer
}

/** A body on the wire. */
interface SealedBody {
  readonly algorithm: 'AEAD_AES_256_GCM'
  /** With its tag, base64. */
  readonly ciphertext: string
  readonly nonce: string
  readonly associated_data: string
}

const makeKeys = promisify(generateKeyPair)

export const createWechatPay: CreatePeer = async (records) => {
  const server = await makeKeys('rsa', { modulusLength: 2048 })
  const enrolled = new Map<string, Enrolled>()
  const clients: PayCredentials[] = []
  for (let i = 0; i < peerClients; i++) {
    const { publicKey, privateKey } = await makeKeys('rsa', { modulusLength: 2048 })
    const contentKey = randomBytes(32)
    const merchant = `19000000${String(i).padStart(2, '0')}`
    enrolled.set(merchant, { publicKey, contentKey })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    clients.push({ merchant, key, contentKey: contentKey.toString('base64') })
  }

  const app = new Hono()
  app.post('/transfers', async (c) => {
    const body = await c.req.text()
    const authorization = c.req.header('authorization') ?? ''
    const { mchid = '', nonce_str = '', timestamp = '', signature = '' } = parseAuthorization(authorization)
    const client = enrolled.get(mchid)
    if (client === undefined) throw new PeerRefusal(401, 'merchant_unknown')
    if (!isInWindow(Number(timestamp))) throw new PeerRefusal(401, 'timestamp_invalid')
    const signed = Buffer.from(`POST\n/transfers\n${timestamp}\n${nonce_str}\n${body}\n`)
    if (!verify('sha256', signed, client.publicKey, Buffer.from(signature, 'base64')))
      throw new PeerRefusal(401, 'signature_invalid')
    const content = openContent(body, client.contentKey)
    const path = '/transfers'
    await records.keep({
      sender: mchid,
      nonce: nonce_str,
      method: 'POST',
      path,
      body,
      evidence: authorization,
    })
    const response = sealContent(JSON.stringify(transferResponse(JSON.parse(content))), client.contentKey)
    const now = String(Math.floor(Date.now() / 1_000))
    const nonce = randomBytes(16).toString('hex')
    const responseSignature = sign(
      'sha256',
      Buffer.from(`${now}\n${nonce}\n${response}\n`),
      server.privateKey,
    )
    return c.body(response, 200, {
      'content-type': 'application/json',
      'wechatpay-timestamp': now,
      'wechatpay-nonce': nonce,
      'wechatpay-serial': '5157F09EFDC096DE15EBE81A47057A7232F1B8E1',
      'wechatpay-signature': responseSignature.toString('base64'),
    })
  })
  const publicKey = server.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { app, secrets: { clients: JSON.stringify(clients), server: publicKey } }
}

/** The fields of an attacker-controlled header. @throws PeerRefusal for another scheme */
function parseAuthorization(text: string): Record<string, string> {
  if (!text.startsWith(`${payScheme} `)) throw new PeerRefusal(401, 'signature_missing')
  const parts = text.slice(payScheme.length + 1).matchAll(/([a-z_]+)="([^"]*)"/g)
  return Object.fromEntries([...parts].map(([, name = '', value = '']) => [name, value]))
}

/** Encrypts the content of a request or a response. */
export function sealContent(text: string, key: Buffer): string {
  const nonce = randomBytes(9).toString('base64')
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from('transfer'))
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const body: SealedBody = {
    algorithm: 'AEAD_AES_256_GCM',
    ciphertext: ciphertext.toString('base64'),
    nonce,
    associated_data: 'transfer',
  }
  return JSON.stringify(body)
}

/** @throws PeerRefusal `cannot_open` */
export function openContent(body: string, key: Buffer): string {
  try {
    const { ciphertext, nonce, associated_data }: SealedBody = JSON.parse(body)
    const bytes = Buffer.from(ciphertext, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
    decipher.setAAD(Buffer.from(associated_data))
    decipher.setAuthTag(bytes.subarray(-16))
    return decipher.update(bytes.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    throw new PeerRefusal(400, 'cannot_open')
  }
}
