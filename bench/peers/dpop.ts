/**
 * OAuth in current practice: an access token (RFC 9068) bound to the client's key by DPoP (RFC 9449), and bodies encrypted
 * with JWE (RFC 7516), all with `jose`. Signatures use ES256, the usual choice, which is faster here than EdDSA. Every key
 * is imported once. Content is encrypted either with a key that the client received with its token (`dir`), or by key
 * agreement for every message (`ECDH-ES`).
 *
 * Protection: a stolen token is useless without the key, a proof is accepted once, and bodies are encrypted. Limits: the
 * proof covers method, URL and token, not the body, so two bodies of one client can be exchanged; responses are neither
 * signed nor bound to their requests; there is no evidence of requests or responses. Keys of clients are read from memory;
 * a service with many clients would look them up.
 */
import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import type { CryptoKey, JWK, JWTHeaderParameters, KeyObject } from 'jose'
import {
  CompactEncrypt,
  calculateJwkThumbprint,
  compactDecrypt,
  exportJWK,
  generateKeyPair,
  generateSecret,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose'
import { transferResponse } from '../transfer-handler.ts'
import type { CreatePeer } from './peer.ts'
import { isInWindow, peerClients, peerOrigin } from './peer.ts'
import { PeerRefusal } from './records.ts'

/** How content keys come about. */
export type KeyMode = 'dir' | 'ECDH-ES'

/** Credentials of one client for the load generator. */
export interface DpopCredentials {
  readonly key: JWK
  readonly token: string
  /** Ended a minute ago. */
  readonly expiredToken: string
  /** `dir`: the shared key; `ECDH-ES`: the client's own. */
  readonly contentKey: JWK
}

interface Enrolled {
  readonly proofKey: CryptoKey | Uint8Array
  readonly thumbprint: string
  /** Decrypts requests. */
  readonly requestKey: CryptoKey | KeyObject | Uint8Array
  /** Encrypts responses. */
  readonly responseKey: CryptoKey | KeyObject | Uint8Array
}

const encryption = 'A256GCM'
const decoder = new TextDecoder()
const encoder = new TextEncoder()

export function createDpop(mode: KeyMode): CreatePeer {
  return async (records) => {
    const issuer = await generateKeyPair('ES256')
    const server = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
    const enrolled = new Map<string, Enrolled>()
    const clients: DpopCredentials[] = []
    for (let i = 0; i < peerClients; i++) clients.push(await enrol(mode, server.privateKey, issuer, enrolled))

    const app = new Hono()
    app.post('/transfers', async (c) => {
      const authorization = c.req.header('authorization') ?? ''
      const proof = c.req.header('dpop') ?? ''
      if (!authorization.startsWith('DPoP ')) throw new PeerRefusal(401, 'token_missing')
      const token = authorization.slice(5)
      const jkt = await verifyToken(token, issuer.publicKey)
      const client = enrolled.get(jkt)
      if (client === undefined) throw new PeerRefusal(401, 'client_unknown')
      const jti = await verifyProof(proof, token, client)
      const body = await c.req.text()
      const content = await openBody(body, mode, client)
      const path = '/transfers'
      await records.keep({ sender: jkt, nonce: jti, method: 'POST', path, body, evidence: proof })
      const response = encoder.encode(JSON.stringify(transferResponse(JSON.parse(decoder.decode(content)))))
      const sealed = await new CompactEncrypt(response)
        .setProtectedHeader({ alg: mode, enc: encryption })
        .encrypt(client.responseKey)
      return c.body(sealed, 200, { 'content-type': 'application/jose' })
    })
    const publicKey = await exportJWK(server.publicKey)
    return { app, secrets: { mode, clients: JSON.stringify(clients), server: JSON.stringify(publicKey) } }
  }
}

async function verifyToken(token: string, key: CryptoKey): Promise<string> {
  try {
    const { payload } = await jwtVerify<{ cnf?: { jkt?: string } }>(token, key, {
      issuer: peerOrigin,
      audience: peerOrigin,
      typ: 'at+jwt',
      algorithms: ['ES256'],
    })
    return payload.cnf?.jkt ?? ''
  } catch {
    throw new PeerRefusal(401, 'token_invalid')
  }
}

async function verifyProof(proof: string, token: string, client: Enrolled): Promise<string> {
  // The key in the header is attacker-controlled: it must be the one of the token, which was imported long ago.
  const keyOf = async (header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array> => {
    if (header.jwk === undefined || (await calculateJwkThumbprint(header.jwk)) !== client.thumbprint)
      throw new PeerRefusal(401, 'proof_key_mismatch')
    return client.proofKey
  }
  const { payload } = await jwtVerify<{ htm?: string; htu?: string; ath?: string }>(proof, keyOf, {
    typ: 'dpop+jwt',
    algorithms: ['ES256'],
  }).catch(() => {
    throw new PeerRefusal(401, 'proof_invalid')
  })
  const hash = createHash('sha256').update(token).digest('base64url')
  const isOurs = payload.htm === 'POST' && payload.htu === `${peerOrigin}/transfers` && payload.ath === hash
  if (!isOurs || payload.jti === undefined || !isInWindow(payload.iat ?? 0))
    throw new PeerRefusal(401, 'proof_invalid')
  return payload.jti
}

async function openBody(body: string, mode: KeyMode, { requestKey }: Enrolled): Promise<Uint8Array> {
  try {
    const options = { keyManagementAlgorithms: [mode], contentEncryptionAlgorithms: [encryption] }
    return (await compactDecrypt(body, requestKey, options)).plaintext
  } catch {
    throw new PeerRefusal(400, 'cannot_open')
  }
}

async function enrol(
  mode: KeyMode,
  serverKey: CryptoKey,
  issuer: { readonly privateKey: CryptoKey },
  enrolled: Map<string, Enrolled>,
): Promise<DpopCredentials> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const key = await exportJWK(privateKey)
  const proofKey = await importJWK(await exportJWK(publicKey), 'ES256')
  const thumbprint = await calculateJwkThumbprint(key)
  const { contentKey, requestKey, responseKey } = await contentKeys(mode, serverKey)
  enrolled.set(thumbprint, { proofKey, thumbprint, requestKey, responseKey })
  const issue = (expiresAt: string): Promise<string> =>
    new SignJWT({ client_id: 'wx00000000000000be', cnf: { jkt: thumbprint } })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'issuer-1' })
      .setIssuer(peerOrigin)
      .setAudience(peerOrigin)
      .setSubject(`u_${thumbprint.slice(0, 22)}`)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime(expiresAt)
      .sign(issuer.privateKey)
  return { key, token: await issue('1h'), expiredToken: await issue('-1m'), contentKey }
}

async function contentKeys(
  mode: KeyMode,
  serverKey: CryptoKey,
): Promise<Pick<Enrolled, 'requestKey' | 'responseKey'> & { contentKey: JWK }> {
  if (mode === 'dir') {
    const secret = await generateSecret(encryption, { extractable: true })
    return { requestKey: secret, responseKey: secret, contentKey: await exportJWK(secret) }
  }
  const own = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  return { requestKey: serverKey, responseKey: own.publicKey, contentKey: await exportJWK(own.privateKey) }
}
