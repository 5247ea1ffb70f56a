/** Every committed vector through the public calls, with each implementation of the primitives. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FormatError, refuseFormat } from '../../../crypto/errors.ts'
import {
  encodeRequest,
  encodeResponse,
  parseRequest,
  parseResponse,
} from '../../../crypto/frames/binary-http.ts'
import { verifyConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import type { Frame } from '../../../crypto/frames/frame.ts'
import { encodeFrame, parseFrame } from '../../../crypto/frames/frame.ts'
import { paddedLength, padMessage } from '../../../crypto/frames/padding.ts'
import {
  assertContentDigest,
  assertInWindow,
  assertSignature,
  parseRequestSignature,
  signRequest,
} from '../../../crypto/http-signatures/signed-request.ts'
import { signResponse, verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { keyThumbprint } from '../../../crypto/primitives/thumbprint.ts'
import { decodeHex as bytes, encodeHex as hex } from '../../../crypto/text.ts'
import { parseVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { isPrimeOrderKey } from '../../../service/keys/sodium-primitives.ts'
import { codeOf } from '../../unit/crypto/code-of.ts'
import { namedImplementations } from '../../unit/crypto/implementations.ts'
import type { VectorName } from './generate.ts'
import { makers, vectorPath, vectorText } from './generate.ts'
import { readVectors, requestOf, responseOf } from './read-vectors.ts'

const names = Object.keys(makers) as VectorName[]

it.each(names)('%s.json contains exactly what the generator writes', (name) => {
  expect(
    readFileSync(vectorPath(name), 'utf8') === vectorText(name),
    'run `npx tsx --conditions=source test/conformance/vectors/generate.ts`',
  ).toBe(true)
})

describe('padding.json', () => {
  const { lengths, messages, tolerated, refused } = readVectors('padding')

  it('paddedLength gives every length of the vectors', () => {
    for (const [length, padded] of lengths) expect(paddedLength(length), `${length}`).toBe(padded)
  })

  it.each(messages)('padMessage pads $title', ({ message, padded }) => {
    expect(hex(padMessage(bytes(message)))).toBe(padded)
  })

  it.each(tolerated)('a message with $title is parsed', ({ message, padded }) => {
    expect(parseRequest(bytes(padded))).toEqual(parseRequest(bytes(message)))
  })

  it.each(refused)('padding is refused with $code: $title', ({ padded, code }) => {
    expect(codeOf(() => refuseFormat('payload_invalid', () => parseRequest(bytes(padded))))).toBe(code)
  })
})

describe('messages.json', () => {
  const { requests, responses, tolerated, refused } = readVectors('messages')

  it.each(requests)('the request $title is encoded and parsed as in the vector', ({ message, encoded }) => {
    expect(hex(encodeRequest(requestOf(message)))).toBe(encoded)
    expect(parseRequest(bytes(encoded))).toEqual(requestOf(message))
  })

  it.each(responses)('the response $title is encoded and parsed as in the vector', ({ message, encoded }) => {
    expect(hex(encodeResponse(responseOf(message)))).toBe(encoded)
    expect(parseResponse(bytes(encoded))).toEqual(responseOf(message))
  })

  it.each(tolerated)('a request $title is parsed', ({ message, encoded }) => {
    expect(parseRequest(bytes(encoded))).toEqual(requestOf(message))
  })

  it.each(refused)('a $kind $title is refused with $code', ({ kind, code, encoded }) => {
    const parse = (): unknown => (kind === 'request' ? parseRequest : parseResponse)(bytes(encoded))
    expect(codeOf(() => refuseFormat('payload_invalid', parse))).toBe(code)
  })
})

describe('frames.json', () => {
  const { frames, refused } = readVectors('frames')
  const names: Readonly<Record<string, string>> = {
    kid8: 'keyHint',
    sid: 'sessionId',
    request_nonce: 'requestNonce',
    e_c_pub: 'ephemeral',
    e_s_pub: 'ephemeral',
  }

  it.each(frames)('a $kind frame is encoded and parsed as in the vector', ({ kind, limit, parts, frame }) => {
    const members = Object.entries(parts).map(([name, part]) => [names[name] ?? name, bytes(part)])
    const parsed: Frame = parseFrame(bytes(frame), limit)
    expect(parsed).toEqual({ kind, ...Object.fromEntries(members) })
    expect(hex(encodeFrame(parsed))).toBe(frame)
  })

  it.each(refused)('a frame $title is refused with $code', ({ code, limit, frame }) => {
    expect(codeOf(() => parseFrame(bytes(frame), limit))).toBe(code)
  })
})

describe.each(namedImplementations)('with %s', (_, primitives) => {
  describe('keys.json', () => {
    const { thumbprints, signatures, device_keys, x25519 } = readVectors('keys')

    it.each(thumbprints)(
      'the key $jwk has the thumbprint of the vector',
      ({ crv, public_key, thumbprint }) => {
        expect(keyThumbprint(primitives, bytes(public_key), crv)).toBe(thumbprint)
      },
    )

    it.each(signatures)(
      'the validity of a signature with $title is $valid',
      ({ signature, message, public_key, valid }) => {
        expect(primitives.ed25519Verify(bytes(signature), bytes(message), bytes(public_key))).toBe(valid)
      },
    )

    it.each(device_keys)(
      'the device key $public_key, $title, is accepted: $valid',
      ({ public_key, valid }) => {
        expect(isPrimeOrderKey(bytes(public_key))).toBe(valid)
      },
    )

    it.each(x25519)('X25519 with $public_key gives $shared', ({ secret, public_key, shared }) => {
      const agree = (): string => hex(primitives.x25519(bytes(secret), bytes(public_key)))
      if (shared === null) expect(agree).toThrow(FormatError)
      else expect(agree()).toBe(shared)
    })
  })

  describe('request.json', () => {
    const { device, requests } = readVectors('request')
    const { publicKey, secretKey } = primitives.ed25519KeyPair(bytes(device.seed))

    it('the seed gives the device key and keyid of the vector', () => {
      expect(hex(publicKey)).toBe(device.public_key)
      expect(keyThumbprint(primitives, publicKey)).toBe(device.keyid)
    })

    it.each(requests)('the signature of $title is made and verified', (vector) => {
      const signer = { keyid: device.keyid, secretKey }
      const nonce = bytes(vector.nonce)
      const made = signRequest(primitives, requestOf(vector.message), signer, vector.created, nonce)
      expect(made).toEqual(requestOf(vector.signed))
      expect(hex(padMessage(encodeRequest(made)))).toBe(vector.plaintext)
      const read = parseRequest(bytes(vector.plaintext))
      const { created, keyid, base, signature, nonce: readNonce } = parseRequestSignature(read)
      expect({ created, keyid, base, signature: hex(signature), nonce: hex(readNonce) }).toEqual({
        created: vector.created,
        keyid: device.keyid,
        base: vector.base,
        signature: vector.signature,
        nonce: vector.nonce,
      })
      assertContentDigest(primitives, read)
      assertSignature(primitives, parseRequestSignature(read), publicKey)
    })
  })

  describe('response.json', () => {
    const { service, responses } = readVectors('response')
    const { requests } = readVectors('request')
    const { publicKey, secretKey } = primitives.ed25519KeyPair(bytes(service.seed))

    it.each(responses)('the signature of $title is made and verified', (vector) => {
      const sent = requests.find(({ title }) => title === vector.request)
      const request = sent === undefined ? undefined : requestOf(sent.signed)
      const signer = { keyid: service.keyid, secretKey }
      const made = signResponse(primitives, responseOf(vector.message), request, signer, vector.created)
      expect(made).toEqual(responseOf(vector.signed))
      expect(hex(padMessage(encodeResponse(made)))).toBe(vector.plaintext)
      const base = new TextEncoder().encode(vector.base)
      expect(primitives.ed25519Verify(bytes(vector.signature), base, publicKey)).toBe(true)
      if (request === undefined) return
      const keys = [{ kid: service.keyid, publicKey }]
      const read = parseResponse(bytes(vector.plaintext))
      expect(verifyResponse(primitives, read, request, keys)).toEqual({ created: vector.created })
    })
  })

  describe('refusals.json', () => {
    const { now, window, device, requests, service_keys, responses } = readVectors('refusals')
    const keys = service_keys.map(({ kid, public_key }) => ({ kid, publicKey: bytes(public_key) }))

    it.each(requests)('the check of a request $title gives $code', ({ encoded, code }) => {
      const judge = (): void => {
        const message = refuseFormat('payload_invalid', () => parseRequest(bytes(encoded)))
        const signature = parseRequestSignature(message)
        assertInWindow(signature, now, window)
        assertContentDigest(primitives, message)
        assertSignature(primitives, signature, bytes(device.public_key))
      }
      expect(codeOf(judge) ?? null).toBe(code)
    })

    it.each(responses)('the check of a response $title gives $code', ({ encoded, request, code }) => {
      const judge = (): unknown =>
        verifyResponse(primitives, parseResponse(bytes(encoded)), parseRequest(bytes(request)), keys)
      expect(codeOf(judge) ?? null).toBe(code)
    })
  })

  describe('configuration.json', () => {
    const { root, accepted, refused } = readVectors('configuration')
    const roots = [bytes(root.public_key)]

    it.each([...accepted, ...refused])(
      'the check of a configuration $title gives $code',
      ({ jws, now, code }) => {
        expect(codeOf(() => verifyConfiguration(primitives, jws, roots, now)) ?? null).toBe(code)
      },
    )

    it.each(accepted)('the configuration $title contains a valid verifier key', ({ jws, now }) => {
      const { log } = verifyConfiguration(primitives, jws, roots, now)
      expect(parseVerifierKey(primitives, log.vkey).name).toBe(log.origin)
    })
  })
})
