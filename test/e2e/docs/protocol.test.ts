/** `docs/reference/protocol.md` agrees with the code: example, labels, frames, codes and list of vectors. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseRequest, parseResponse } from '../../../crypto/frames/binary-http.ts'
import { verifyConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { encodeFrame, parseFrame } from '../../../crypto/frames/frame.ts'
import {
  deriveSession,
  openHandshakeRequest,
  openHandshakeResponse,
} from '../../../crypto/frames/handshake.ts'
import { openRequest, openResponse } from '../../../crypto/frames/session-keys.ts'
import {
  assertContentDigest,
  assertSignature,
  parseRequestSignature,
} from '../../../crypto/http-signatures/signed-request.ts'
import { verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { signatureTags, suite1 } from '../../../crypto/primitives/suite.ts'
import { decodeHex, decodeUtf8, encodeAscii, encodeHex } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { makers } from '../../conformance/vectors/generate.ts'
import { maxFrame, now, root } from '../../unit/crypto/fixed-inputs.ts'
import { readDocument } from './documents.ts'
import { page, pageWithExample } from './protocol-example.ts'
import { messages } from './protocol-values.ts'

const text = readFileSync(page, 'utf8')
const { blocks } = readDocument('docs/reference/protocol.md')

/** The values of a section by name, with hex lines joined. */
function valuesOf(section: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const block of blocks.filter(({ heading }) => heading.startsWith(section))) {
    let name = ''
    for (const line of block.text.split('\n')) {
      const [, short, value] = /^( *\S.*?) {2,}([\w-]+)$/.exec(line) ?? []
      if (/^ {2}[0-9a-f]+$/.test(line)) values.set(name, (values.get(name) ?? '') + line.trim())
      else if (short !== undefined && value !== undefined) values.set(short.trim(), value)
      else name = line
    }
  }
  return values
}

function bytes(section: string, name: string): Uint8Array {
  const value = valuesOf(section).get(name)
  if (value === undefined) throw new Error(`section ${section} has no ${name}`)
  return decodeHex(value)
}

it('the protocol page has the example that the code computes', () => {
  expect(pageWithExample(text), 'run `npm run docs`').toBe(text)
})

it('the service opens the frames of the example and accepts their signatures', () => {
  const agreement = { secretKey: bytes('13.1', 'S'), publicKey: bytes('13.1', 'S_pub') }
  const frame = parseFrame(bytes('13.2', 'request frame'), maxFrame)
  if (frame.kind !== 'handshake-request') throw new Error('wrong kind of frame')
  const { plaintext, state } = openHandshakeRequest(primitives, agreement, frame)
  expect(encodeHex(plaintext)).toBe(encodeHex(bytes('13.2', 'plaintext')))
  const device = keyIn('13.1', 'device key, seed')
  const login = parseRequest(plaintext)
  assertContentDigest(primitives, login)
  assertSignature(primitives, parseRequestSignature(login), device)
  expect(parseRequestSignature(login).base).toBe(baseIn('13.2'))

  const ephemeral = bytes('13.3', 'e_s_pub')
  const { session } = deriveSession(primitives, state, bytes('13.3', 'e_s'), frame.ephemeral, ephemeral)
  expect(encodeHex(session.c2s)).toBe(valuesOf('13.3').get('c2s'))
  expect(encodeHex(session.s2c)).toBe(valuesOf('13.3').get('s2c'))
  const opened = parseFrame(bytes('13.4', 'request frame'), maxFrame)
  if (opened.kind !== 'request') throw new Error('wrong kind of frame')
  expect(encodeHex(opened.sessionId)).toBe(valuesOf('13.4').get('sid'))
  const transfer = parseRequest(openRequest(primitives, session, opened))
  assertSignature(primitives, parseRequestSignature(transfer), device)
  expect(parseRequestSignature(transfer).base).toBe(baseIn('13.4'))
})

it('the client opens and verifies the responses of the example', () => {
  const session = { c2s: bytes('13.3', 'c2s'), s2c: bytes('13.3', 's2c') }
  const kid = valuesOf('13.1').get('thumbprint') ?? ''
  const keys = [{ kid: serviceKid(), publicKey: keyIn('13.1', 'service signing key, seed') }]
  expect(kid).not.toBe('')
  const first = parseFrame(bytes('13.3', 'response frame'), maxFrame)
  const second = parseFrame(bytes('13.5', 'response frame'), maxFrame)
  if (first.kind !== 'handshake-response' || second.kind !== 'response')
    throw new Error('wrong kind of frame')
  const loggedIn = parseResponse(openHandshakeResponse(primitives, bytes('13.3', 'K2'), first))
  verifyResponse(primitives, loggedIn, parseRequest(bytes('13.2', 'plaintext')), keys)
  const done = parseResponse(openResponse(primitives, session, second))
  verifyResponse(primitives, done, parseRequest(bytes('13.4', 'plaintext')), keys)
})

function keyIn(section: string, name: string): Uint8Array {
  return primitives.ed25519KeyPair(bytes(section, name)).publicKey
}

function serviceKid(): string {
  const [, kid = ''] =
    /service signing key[\s\S]*?thumbprint +(\S+)/.exec(text.slice(text.indexOf('### 13.1'))) ?? []
  return kid
}

function baseIn(section: string): string {
  const block = blocks.find((each) => each.heading.startsWith(section) && each.text.startsWith('"@'))
  return (block?.text ?? '').trimEnd()
}

it('the protocol page names exactly the labels of key derivations and the tags', () => {
  const known = [
    suite1.name,
    ...Object.values(suite1.labels),
    ...Object.values(signatureTags),
    'miniseal-audit/1',
  ]
  const fields = [
    'miniseal-receipt',
    'miniseal-problem',
    'miniseal-caller',
    'miniseal-device-key',
    'miniseal-config+jws',
    'miniseal_use',
  ]
  const named = new Set([...text.matchAll(/"(miniseal[^"\n]*)"/g)].map(([, name]) => name))
  expect([...named].sort()).toEqual([...known, ...fields].filter((name) => name !== 'miniseal-push').sort())
})

it('the protocol page draws every frame as it is encoded', () => {
  const fill = (length: number): Uint8Array => new Uint8Array(length).fill(7)
  const box = fill(16)
  const drawn = {
    'handshake-request': { keyHint: fill(8), ephemeral: fill(32), nonce: fill(24), box },
    'handshake-response': { ephemeral: fill(32), nonce: fill(24), box },
    request: { sessionId: fill(16), nonce: fill(24), box },
    response: { requestNonce: fill(24), nonce: fill(24), box },
    event: { nonce: fill(24), box },
  } as const
  const lengths: Readonly<Record<string, number>> = { kid8: 8, nonce: 24, box: 16 }
  for (const [kind, parts] of Object.entries(drawn)) {
    const [, type = '', rest = ''] =
      new RegExp(`\\) +${kind} += version ‖ 0x(\\w\\w) ‖ (.*)`).exec(text) ?? []
    const length = rest.split(' ‖ ').reduce((sum, part) => {
      return sum + Number(/\((\d+)\)/.exec(part)?.[1] ?? lengths[part])
    }, 2)
    const frame = encodeFrame({ kind, ...parts } as Parameters<typeof encodeFrame>[0])
    expect([frame.length, frame[0], frame[1]], kind).toEqual([length, 1, Number.parseInt(type, 16)])
  }
})

it('the protocol page lists every vector file with its members', () => {
  const section = text.slice(text.indexOf('## 14. Test vectors'), text.indexOf('## 15.'))
  for (const [name, make] of Object.entries(makers)) {
    const row = section.split('\n').find((line) => line.startsWith(`| [\`${name}.json\`](`)) ?? ''
    const members = [...(row.split('|')[2] ?? '').matchAll(/`(\w+)`/g)].map(([, member]) => member)
    expect(members, name).toEqual(Object.keys(make()))
  }
})

it('the protocol page lists the codes of clear refusals', () => {
  const section = text.slice(text.indexOf('**In the clear**'), text.indexOf('**Encrypted and signed:**'))
  const clear = [...section.matchAll(/`([a-z_]+)` +\| \d/g)].map(([, code]) => code)
  expect(clear.sort()).toEqual(
    [
      'cannot_open',
      'frame_too_large',
      'malformed_frame',
      'overloaded',
      'unknown_agreement_key',
      'unknown_session',
    ].sort(),
  )
})

function jsonUnder(heading: string): readonly Record<string, unknown>[] {
  return blocks
    .filter((each) => each.language === 'json' && each.heading === heading)
    .map(({ text: json }) => JSON.parse(json))
}

it('the protocol page shows a login and its response with the members of the example', () => {
  const membersOf = (content: Uint8Array): readonly string[] => Object.keys(JSON.parse(decodeUtf8(content)))
  const [loginBody = {}, loginResponse = {}] = jsonUnder('6. Handshake')
  expect(Object.keys(loginBody)).toEqual(membersOf(messages.login.message.content))
  expect(Object.keys(loginResponse)).toEqual(membersOf(messages.loggedIn.message.content))
})

it('the client accepts the channel configuration of the protocol page', () => {
  const [payload] = jsonUnder('Channel configuration')
  const header = { alg: 'EdDSA', typ: 'miniseal-config+jws', kid: root.keyid }
  const input = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = primitives.ed25519Sign(encodeAscii(input), root.secretKey)
  const jws = `${input}.${Buffer.from(signature).toString('base64url')}`
  expect(verifyConfiguration(primitives, jws, [root.publicKey], now).iss).toBe('https://pay.example.com')
})

it('the protocol page lists the steps of refusals in their order', () => {
  const section = text.slice(text.indexOf('### Order of the checks'), text.indexOf('## 6. Handshake'))
  const named = [...section.matchAll(/^\| \d+ +\| `([a-z-]+)`/gm)].map(([, step]) => step)
  const source = readFileSync(new URL('../../../service/problems/problem-error.ts', import.meta.url), 'utf8')
  const [union = ''] = source.split('export interface')
  const steps = [...union.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, step]) => step)
  // Limits are not in the table, and section 6 describes logins.
  expect(named).toEqual(steps.filter((step) => step !== 'limits' && step !== 'login'))
})
