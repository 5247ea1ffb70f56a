/**
 * HTTP Message Signatures against `http-message-sig` and `http-message-signatures`: both verify our signatures, we verify
 * theirs, and all refuse changed messages.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { verifySignature, webcrypto } from 'http-message-sig'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import { importJWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { parseGatewaySignature, signForBackend } from '../../../crypto/http-signatures/gateway-signature.ts'
import {
  assertContentDigest,
  assertSignature,
  parseRequestSignature,
  requiredComponents,
} from '../../../crypto/http-signatures/signed-request.ts'
import { verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import {
  answered,
  device,
  type FixedSigner,
  fixed,
  now,
  service,
  serviceKeys,
  signed,
  stranger,
  unsigned,
} from '../../unit/crypto/fixed-inputs.ts'

const jwkOf = ({ publicKey }: FixedSigner) => ({ kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey) })
const publicKeyOf = (signer: FixedSigner) => createPublicKey({ key: jwkOf(signer), format: 'jwk' })
const privateKeyOf = (signer: FixedSigner) =>
  createPrivateKey({ key: { ...jwkOf(signer), d: encodeBase64Url(signer.seed) }, format: 'jwk' })

const plainRequest = ({ method, authority, path, fields }: RequestMessage) => ({
  method,
  url: `https://${authority}${path}`,
  headers: Object.fromEntries(fields),
})
const plainResponse = ({ status, fields }: ResponseMessage) => ({
  status,
  headers: Object.fromEntries(fields),
})

/** By `http-message-signatures`. */
async function verifiesPlainly(
  message: RequestMessage | ResponseMessage,
  keys: readonly FixedSigner[],
  request?: RequestMessage,
): Promise<boolean> {
  const config = {
    all: true,
    keyLookup: async ({ keyid }: { keyid?: string }) => {
      const key = keys.find((known) => known.keyid === keyid)
      return key === undefined ? null : { id: key.keyid, verify: createVerifier(publicKeyOf(key), 'ed25519') }
    },
  }
  const verifying =
    'status' in message
      ? httpbis.verifyMessage(
          config,
          plainResponse(message),
          request === undefined ? undefined : plainRequest(request),
        )
      : httpbis.verifyMessage(config, plainRequest(message))
  return (await verifying.catch(() => false)) === true
}

/** By `http-message-sig`. */
async function verifiesStrictly(
  { method, authority, path, fields }: RequestMessage,
  signer: FixedSigner,
  label = 'sig',
): Promise<boolean> {
  const key = await importJWK({ ...jwkOf(signer), alg: 'EdDSA' })
  if (key instanceof Uint8Array) throw new Error('no key of an asymmetric algorithm')
  try {
    await verifySignature(
      {
        kind: 'request',
        method,
        targetUri: `https://${authority}${path}`,
        fields: fields.map(([name, value]) => ({ name, value })),
      },
      {
        label,
        policy: {
          algorithms: ['ed25519'],
          requiredComponents: ['@method', '@authority', '@path', '@query'],
          requiredParameters: ['created', 'nonce', 'keyid', 'tag'],
          now,
        },
        resolveVerifier: () => webcrypto.verifier(key),
      },
    )
    return true
  } catch {
    return false
  }
}

function verifiesHere(message: RequestMessage, signer = device): boolean {
  try {
    const signature = parseRequestSignature(message)
    assertContentDigest(primitives, message)
    assertSignature(primitives, signature, signer.publicKey)
    return true
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw error
  }
}

const names = ['read', 'search', 'transfer', 'everything'] as const

const replaced = (
  message: RequestMessage,
  name: string,
  change: (value: string) => string,
): RequestMessage => ({
  ...message,
  fields: message.fields.map(([own, value]): Field => [own, own === name ? change(value) : value]),
})

/** Changes that invalidate a signature for every implementation. */
const changes: readonly (readonly [string, (message: RequestMessage) => RequestMessage])[] = [
  ['another method', (message) => ({ ...message, method: 'DELETE' })],
  ['another authority', (message) => ({ ...message, authority: 'pay.example.org' })],
  ['another path', (message) => ({ ...message, path: message.path.replace('/', '/x') })],
  [
    'another query',
    (message) => ({ ...message, path: `${message.path}${message.path.includes('?') ? '&' : '?'}a` }),
  ],
  ['another token', (message) => replaced(message, 'authorization', (value) => `${value}A`)],
  [
    'a later time',
    (message) =>
      replaced(message, 'signature-input', (value) => value.replace(`created=${now}`, `created=${now + 1}`)),
  ],
  [
    'another nonce',
    (message) => replaced(message, 'signature-input', (value) => value.replace(/nonce="./, 'nonce="_')),
  ],
]

describe.each(names)('the signed request %s', (name) => {
  const message = signed(name)

  it('the signed request verifies with both libraries and with ours', async () => {
    expect(await verifiesPlainly(message, [device])).toBe(true)
    expect(await verifiesStrictly(message, device)).toBe(true)
    expect(verifiesHere(message)).toBe(true)
  })

  it('the signed request does not verify with another key', async () => {
    const wrong = { ...stranger, keyid: device.keyid }
    expect(await verifiesPlainly(message, [wrong])).toBe(false)
    expect(await verifiesStrictly(message, stranger)).toBe(false)
    expect(verifiesHere(message, stranger)).toBe(false)
  })

  it.each(changes)(
    'the signed request verifies with no implementation after the change: %s',
    async (_change, change) => {
      const changed = change(message)
      expect(changed).not.toEqual(message)
      expect(await verifiesPlainly(changed, [device])).toBe(false)
      expect(await verifiesStrictly(changed, device)).toBe(false)
      expect(verifiesHere(changed)).toBe(false)
    },
  )
})

describe('a request that http-message-signatures signs', () => {
  /** With the components and parameters of the protocol. */
  async function signedOutside(
    parts: { readonly fields?: readonly string[]; readonly tag?: string } = {},
  ): Promise<RequestMessage> {
    const plain: RequestMessage = {
      ...unsigned.transfer,
      fields: signed('transfer').fields.filter(([name]) => !name.startsWith('signature')),
    }
    const { headers } = await httpbis.signMessage(
      {
        key: createSigner(privateKeyOf(device), 'ed25519', device.keyid),
        name: 'sig',
        fields: [...(parts.fields ?? requiredComponents(plain))],
        params: ['created', 'nonce', 'keyid', 'tag'],
        paramValues: {
          created: new Date(now * 1000),
          nonce: encodeBase64Url(fixed('outside nonce', 16)),
          tag: parts.tag ?? 'miniseal',
        },
      },
      plainRequest(plain),
    )
    const made = ['Signature-Input', 'Signature'].map(
      (name): Field => [name.toLowerCase(), String(headers[name])],
    )
    return { ...plain, fields: [...plain.fields, ...made] }
  }

  it('a request signed by http-message-signatures verifies with our implementation', async () => {
    expect(verifiesHere(await signedOutside())).toBe(true)
  })

  it('our implementation refuses a request of http-message-signatures with less coverage, another tag or other content', async () => {
    const covered = requiredComponents(await signedOutside())
    for (const left of covered) {
      const fields = covered.filter((component) => component !== left)
      expect(verifiesHere(await signedOutside({ fields })), left).toBe(false)
    }
    expect(verifiesHere(await signedOutside({ tag: 'other' }))).toBe(false)
    expect(verifiesHere({ ...(await signedOutside()), content: new Uint8Array(1) })).toBe(false)
  })
})

describe('a signed response', () => {
  const request = signed('transfer')

  it.each(['created', 'empty', 'problem'] as const)(
    'a signed response verifies with http-message-signatures for its own request only: %s',
    async (name) => {
      const response = answered(name, request)
      expect(await verifiesPlainly(response, [service], request)).toBe(true)
      expect(await verifiesPlainly({ ...response, status: 200 }, [service], request)).toBe(false)
      expect(await verifiesPlainly(response, [{ ...stranger, keyid: service.keyid }], request)).toBe(false)
      const other = signed('transfer', now + 1)
      expect(await verifiesPlainly(response, [service], other)).toBe(false)
      expect(() => verifyResponse(primitives, response, request, serviceKeys)).not.toThrow()
      expect(() => verifyResponse(primitives, response, other, serviceKeys)).toThrow(ProtocolError)
    },
  )
})

describe('a request that the gateway forwards', () => {
  const claims = { user: 'u_1', device: device.keyid, session: 's', app: 'wx1', acr: 'session' } as const
  const message = signForBackend(
    primitives,
    signed('transfer'),
    claims,
    device.publicKey,
    service,
    now,
    fixed('gateway nonce', 16),
  )

  it('a forwarded request has a device signature and a gateway signature that verify with both libraries', async () => {
    expect(await verifiesPlainly(message, [device, service])).toBe(true)
    expect(await verifiesStrictly(message, device, 'sig')).toBe(true)
    expect(await verifiesStrictly(message, service, 'gateway')).toBe(true)
  })

  it('a forwarded request with another caller verifies with no implementation', async () => {
    const changed = replaced(message, 'miniseal-caller', (value) => value.replace('u_1', 'u_2'))
    expect(await verifiesPlainly(changed, [device, service])).toBe(false)
    expect(await verifiesStrictly(changed, service, 'gateway')).toBe(false)
    const signature = parseGatewaySignature(changed)
    expect(() => assertSignature(primitives, signature, service.publicKey)).toThrow(ProtocolError)
  })
})
