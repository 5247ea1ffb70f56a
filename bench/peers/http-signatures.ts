/**
 * HTTP Message Signatures (RFC 9421) on the outer request and its response, with the package `http-message-signatures` and
 * Ed25519 of `node:crypto`, a Content-Digest (RFC 9530), and bodies encrypted with JWE under a key that the client received
 * at its enrolment. Every key is imported once.
 *
 * Protection: method, host, path and body are authenticated, a nonce is accepted once, the response is signed and bound to
 * the signature of its request, and content is encrypted. Limits: path, client and signature are readable on the network; a
 * proxy that rewrites host or path breaks every request; there is no session to end, no binding of a response's content key
 * to its request, and no log that proves requests. Keys of clients are read from memory; a service with many clients would
 * look them up.
 */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Hono } from 'hono'
import { createSigner, createVerifier, httpbis, type VerifyingKey } from 'http-message-signatures'
import { CompactEncrypt, type CryptoKey, compactDecrypt, exportJWK, generateSecret, type JWK } from 'jose'
import { transferResponse } from '../transfer-handler.ts'
import type { CreatePeer } from './peer.ts'
import { peerClients, peerOrigin, requestWindow } from './peer.ts'
import { PeerRefusal } from './records.ts'

/** Credentials of one client for the load generator. */
export interface SigningCredentials {
  readonly id: string
  /** PKCS #8. */
  readonly key: string
  readonly contentKey: JWK
}

interface Enrolled {
  readonly verifying: VerifyingKey
  readonly contentKey: CryptoKey | Uint8Array
}

/** What a request's signature must cover. */
export const requestFields = ['@method', '@authority', '@path', 'content-type', 'content-digest'] as const

/** What a response's signature covers. */
export const responseFields = [
  '@status',
  'content-type',
  'content-digest',
  '"signature";req;key="sig"',
] as const

export const signatureParams = ['created', 'keyid', 'nonce', 'tag'] as const

const jweHeader = { alg: 'dir', enc: 'A256GCM' } as const
const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** A Content-Digest field. */
export function digestField(body: string): string {
  return `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
}

export const createHttpSignatures: CreatePeer = async (records) => {
  const server = generateKeyPairSync('ed25519')
  const signer = createSigner(server.privateKey, 'ed25519', 'server-1')
  const enrolled = new Map<string, Enrolled>()
  const clients: SigningCredentials[] = []
  for (let i = 0; i < peerClients; i++) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const contentKey = await generateSecret('A256GCM', { extractable: true })
    const id = `device-${i}`
    const verify = createVerifier(publicKey, 'ed25519')
    enrolled.set(id, { verifying: { id, algs: ['ed25519'], verify }, contentKey: contentKey as CryptoKey })
    clients.push({ id, key: pemOf(privateKey), contentKey: await exportJWK(contentKey) })
  }

  const app = new Hono()
  app.post('/transfers', async (c) => {
    const headers = c.req.header()
    const request = { method: 'POST', url: `${peerOrigin}/transfers`, headers }
    const body = await c.req.text()
    const { keyid, nonce } = await verifyRequest(request, enrolled)
    if (headers['content-digest'] !== digestField(body)) throw new PeerRefusal(400, 'digest_mismatch')
    const client = enrolled.get(keyid)
    if (client === undefined) throw new PeerRefusal(401, 'key_unknown')
    const content = await openBody(body, client)
    const evidence = `${headers['signature-input']}\n${headers.signature}`
    await records.keep({ sender: keyid, nonce, method: 'POST', path: '/transfers', body, evidence })
    const response = encoder.encode(JSON.stringify(transferResponse(JSON.parse(decoder.decode(content)))))
    const sealed = await new CompactEncrypt(response).setProtectedHeader(jweHeader).encrypt(client.contentKey)
    const fields = { 'content-type': 'application/jose', 'content-digest': digestField(sealed) }
    const signed = await httpbis.signMessage(
      {
        key: signer,
        fields: [...responseFields],
        params: ['created', 'keyid', 'tag'],
        paramValues: { tag: 'response' },
      },
      { status: 200, headers: fields },
      request,
    )
    return c.body(sealed, 200, signed.headers as Record<string, string>)
  })
  const publicKey = server.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { app, secrets: { clients: JSON.stringify(clients), server: publicKey } }
}

interface Message {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
}

async function verifyRequest(
  request: Message,
  enrolled: ReadonlyMap<string, Enrolled>,
): Promise<{ keyid: string; nonce: string }> {
  let found = { keyid: '', nonce: '' }
  const isGood = await httpbis
    .verifyMessage(
      {
        requiredFields: [...requestFields],
        requiredParams: [...signatureParams],
        maxAge: requestWindow.past,
        tolerance: requestWindow.future,
        all: true,
        keyLookup: async ({ keyid = '', nonce = '' }) => {
          found = { keyid, nonce }
          return enrolled.get(keyid)?.verifying ?? null
        },
      },
      request,
    )
    .catch(() => false)
  if (isGood !== true) throw new PeerRefusal(401, 'signature_invalid')
  return found
}

async function openBody(body: string, { contentKey }: Enrolled): Promise<Uint8Array> {
  try {
    return (await compactDecrypt(body, contentKey)).plaintext
  } catch {
    throw new PeerRefusal(400, 'cannot_open')
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
