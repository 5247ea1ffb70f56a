/** The signature of a backend that pushes an event: what a reader takes, and what it refuses. */
import { expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { parsePushSignature } from '../../../crypto/http-signatures/signed-request.ts'
import { encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { codeOf } from './code-of.ts'
import { fixed, now } from './fixed-inputs.ts'

const nonce = encodeBase64Url(fixed('push nonce', 16))
const signature = new Uint8Array(64).fill(7)
const components = '"@method" "@authority" "@path" "content-type" "content-digest"'
const params = `created=${now};nonce="${nonce}";keyid="bank";tag="miniseal-push"`

interface Parts {
  readonly input?: string | undefined
  readonly signature?: string | undefined
  readonly key?: string
}

const right = { input: `push=(${components});${params}`, signature: `push=:${encodeBase64(signature)}:` }

function push(parts: Parts = {}): RequestMessage {
  const given = { ...right, ...parts }
  return {
    method: 'POST',
    scheme: 'https',
    authority: 'pay.example.com',
    path: '/push',
    fields: [
      ['content-type', 'application/json'],
      ['content-digest', 'sha-256=:AAAA:'],
      ...(given.key === undefined ? [] : [['idempotency-key', given.key] as const]),
      ...(given.input === undefined ? [] : [['signature-input', given.input] as const]),
      ...(given.signature === undefined ? [] : [['signature', given.signature] as const]),
    ],
    content: encodeUtf8('{}'),
  }
}

const input = (from: string, to: string): Parts => ({ input: right.input.replace(from, to) })

it('parsePushSignature returns the parameters, the signature and its base', () => {
  expect(parsePushSignature(push())).toEqual({
    created: now,
    nonce: fixed('push nonce', 16),
    keyid: 'bank',
    signature,
    base: [
      '"@method": POST',
      '"@authority": pay.example.com',
      '"@path": /push',
      '"content-type": application/json',
      '"content-digest": sha-256=:AAAA:',
      `"@signature-params": (${components});${params}`,
    ].join('\n'),
  })
})

it('parsePushSignature accepts any label, any order, and other signatures', () => {
  const list = '"content-digest" "@path" "content-type" "@authority" "@method"'
  const read = parsePushSignature(
    push({
      input: `proxy=("@path");tag="proxy", mine=(${list});${params}`,
      signature: `proxy=:AAAA:, mine=:${encodeBase64(signature)}:`,
    }),
  )
  expect(read.signature).toEqual(signature)
  expect(read.base.endsWith(`"@signature-params": (${list});${params}`)).toBe(true)
})

it('parsePushSignature requires coverage of the idempotency key if and only if there is one', () => {
  const covering = input('"content-digest"', '"content-digest" "idempotency-key"')
  expect(parsePushSignature(push({ key: '"k"', ...covering })).base).toContain('"idempotency-key": "k"\n')
  expect(codeOf(() => parsePushSignature(push({ key: '"k"' })))).toBe('components_incomplete')
  expect(codeOf(() => parsePushSignature(push(covering)))).toBe('components_incomplete')
})

it.each<[string, string, Parts]>([
  ['no input', 'signature_missing', { input: undefined }],
  ['no signature', 'signature_missing', { signature: undefined }],
  ['an input that cannot be read', 'signature_malformed', { input: 'push=((' }],
  ['a signature that cannot be read', 'signature_malformed', { signature: 'push=:A' }],
  ['another tag', 'signature_missing', input('"miniseal-push"', '"miniseal"')],
  ['no tag', 'signature_missing', input(';tag="miniseal-push"', '')],
  ['the tag twice', 'signature_malformed', { input: `${right.input}, more=();tag="miniseal-push"` }],
  ['an input that is no list', 'signature_malformed', { input: `push=1;${params}` }],
  [
    'a signature under another label',
    'signature_missing',
    { signature: right.signature.replace('push', 'other') },
  ],
  ['a signature that is a string', 'signature_malformed', { signature: `push="${'A'.repeat(64)}"` }],
  ['a signature with a parameter', 'signature_malformed', { signature: `${right.signature};x` }],
  ['a signature of 63 bytes', 'signature_malformed', { signature: `push=:${'A'.repeat(84)}:` }],
  ['an algorithm', 'alg_not_allowed', input(';keyid', ';alg="ed25519";keyid')],
  ['another parameter', 'signature_malformed', input(';keyid', ';expires=1;keyid')],
  ['no time', 'signature_malformed', input(`created=${now};`, '')],
  ['a time before 1970', 'signature_malformed', input(`created=${now}`, 'created=-1')],
  ['a time that is a string', 'signature_malformed', input(`created=${now}`, `created="${now}"`)],
  ['no nonce', 'signature_malformed', input(`;nonce="${nonce}"`, '')],
  ['a nonce of 15 bytes', 'signature_malformed', input(nonce, nonce.slice(2))],
  ['a nonce in base64', 'signature_malformed', input(nonce, '+'.repeat(22))],
  ['no keyid', 'signature_malformed', input(';keyid="bank"', '')],
  ['a component less', 'components_incomplete', input(' "content-digest"', '')],
  ['a component more', 'components_incomplete', input('"@path"', '"@path" "@query"')],
  ['a component that is a token', 'components_incomplete', input('"content-type"', 'content-type')],
  ['a component with a parameter', 'components_incomplete', input('"@path"', '"@path";req')],
  [
    'one member of a component',
    'components_incomplete',
    input('"content-digest"', '"content-digest";key="sha-256"'),
  ],
  ['a component in place of another', 'components_incomplete', input('"@path"', '"@query"')],
  ['a component twice', 'components_incomplete', input('"@path"', '"@method"')],
])('parsePushSignature refuses %s', (_title, code, parts) => {
  expect(codeOf(() => parsePushSignature(push(parts)))).toBe(code)
})
