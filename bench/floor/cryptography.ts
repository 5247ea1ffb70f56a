/**
 * The crypto floor: a lower bound for an encrypted POST, in operations per second on one core. An operation is the Ed25519
 * verification of the request, opening its box, the Ed25519 signature of the response, sealing its box, and the SHA-256 of
 * both bodies, each over as many bytes as in a real exchange, which is made first and listened to.
 */
import { randomBytes } from 'node:crypto'
import { encodeRequest, encodeResponse, parseRequest } from '../../crypto/frames/binary-http.ts'
import { padMessage } from '../../crypto/frames/padding.ts'
import {
  assertContentDigest,
  assertSignature,
  parseRequestSignature,
  signRequest,
} from '../../crypto/http-signatures/signed-request.ts'
import { signResponse } from '../../crypto/http-signatures/signed-response.ts'
import type { Primitives } from '../../crypto/primitives/primitives.ts'
import { encodeUtf8 } from '../../crypto/text.ts'
import { sodiumPrimitives as sodium } from '../../service/keys/sodium-primitives.ts'
import { transferResponse } from '../transfer-handler.ts'

export interface CryptoFloor {
  readonly operations: number
  readonly perSecond: number
  readonly perCpuSecond: number
  /** Bytes that each step works on. */
  readonly sizes: ExchangeSizes
}

export interface ExchangeSizes {
  readonly verified: number
  readonly opened: number
  readonly signed: number
  readonly sealed: number
  readonly digested: readonly number[]
}

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

/** @param body JSON of a POST */
export async function cryptoFloor({
  seconds,
  body,
}: {
  readonly seconds: number
  readonly body: string
}): Promise<CryptoFloor> {
  const sizes = exchangeSizes(body)
  const run = operation(sizes)
  for (let i = 0; i < 200; i++) run()
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  let operations = 0
  while (performance.now() < startedAt + seconds * 1_000) {
    for (let i = 0; i < 50; i++) run()
    operations += 50
  }
  const wall = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const perCpuSecond = operations / ((user + system) / 1e6)
  return { operations, perSecond: operations / wall, perCpuSecond, sizes }
}

function operation({ verified, opened, signed, sealed, digested }: ExchangeSizes): () => void {
  const device = sodium.ed25519KeyPair(random(32))
  const service = sodium.ed25519KeyPair(random(32))
  const [requestKey, responseKey, nonce] = [random(32), random(32), random(24)]
  const requestBase = random(verified)
  const signature = sodium.ed25519Sign(requestBase, device.secretKey)
  const box = sodium.secretboxSeal(random(opened), nonce, requestKey)
  const [responseBase, responsePlaintext] = [random(signed), random(sealed)]
  const bodies = digested.map(random)
  return () => {
    const plaintext = sodium.secretboxOpen(box, nonce, requestKey)
    const isGood = sodium.ed25519Verify(signature, requestBase, device.publicKey)
    if (plaintext === undefined || !isGood) throw new Error('the floor does not hold')
    for (const content of bodies) sodium.sha256(content)
    sodium.ed25519Sign(responseBase, service.secretKey)
    sodium.secretboxSeal(responsePlaintext, nonce, responseKey)
  }
}

/** Makes one exchange as the service does, and notes what every primitive was given. */
function exchangeSizes(body: string): ExchangeSizes {
  const recorded = { verified: 0, signed: 0, digested: [] as number[] }
  const listening: Primitives = {
    ...sodium,
    sha256: (message) => {
      recorded.digested.push(message.length)
      return sodium.sha256(message)
    },
    ed25519Sign: (message, secretKey) => {
      recorded.signed = message.length
      return sodium.ed25519Sign(message, secretKey)
    },
    ed25519Verify: (signature, message, publicKey) => {
      recorded.verified = message.length
      return sodium.ed25519Verify(signature, message, publicKey)
    },
  }
  const now = Math.floor(Date.now() / 1_000)
  const device = sodium.ed25519KeyPair(random(32))
  const signer = { keyid: 'k'.repeat(43), secretKey: device.secretKey }
  const message = signRequest(
    sodium,
    {
      method: 'POST',
      scheme: 'https',
      authority: 'pay.example.com',
      path: '/transfers',
      fields: [
        ['content-type', 'application/json'],
        ['authorization', `HTTPSig ${'t'.repeat(tokenLength)}`],
        ['idempotency-key', `"${'k'.repeat(16)}"`],
      ],
      content: encodeUtf8(body),
    },
    signer,
    now,
    random(16),
  )
  const plaintext = padMessage(encodeRequest(message))
  const request = parseRequest(plaintext)
  assertContentDigest(listening, request)
  assertSignature(listening, parseRequestSignature(request), device.publicKey)
  const content = encodeUtf8(JSON.stringify(transferResponse(JSON.parse(body))))
  const reply = {
    status: 200,
    fields: [['content-type', 'application/json'], ...otherFields] as [string, string][],
    content,
  }
  const response = signResponse(listening, reply, request, signer, now)
  return { ...recorded, opened: plaintext.length, sealed: padMessage(encodeResponse(response)).length }
}

/** Of an access token of the service, in characters. */
const tokenLength = 602

/** What the service adds to every response. */
const otherFields: readonly [string, string][] = [
  ['ratelimit-policy', '"device";q=9000000;w=60, "user";q=9000000;w=60'],
  ['ratelimit', '"device";r=8999999;t=60, "user";r=8999999;t=60'],
  ['miniseal-receipt', `:${'r'.repeat(43)}=:`],
]
