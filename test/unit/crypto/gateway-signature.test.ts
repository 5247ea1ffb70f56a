/** The caller fields and signature of the gateway: their encoding, and what a parser refuses. */
import { describe, expect, it } from 'vitest'
import { FormatError, ProtocolError } from '../../../crypto/errors.ts'
import type { Field, RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { parseGatewaySignature, signForBackend } from '../../../crypto/http-signatures/gateway-signature.ts'
import { assertSignature } from '../../../crypto/http-signatures/signed-request.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { codeOf } from './code-of.ts'
import { device, fixed, now, service, signed } from './fixed-inputs.ts'

const caller = { user: 'u_1', device: device.keyid, session: 's_1', app: 'wx1', acr: 'soter' }
const nonce = fixed('gateway nonce', 16)
const callerField = `user="u_1", device="${device.keyid}", session="s_1", app="wx1", acr="soter"`
const params = `created=${now};nonce="${encodeBase64Url(nonce)}";keyid="${service.keyid}";tag="miniseal-gateway"`
const covered =
  '"@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization" "idempotency-key"'

const forBackend = (message: RequestMessage): RequestMessage =>
  signForBackend(primitives, message, caller, device.publicKey, service, now, nonce)
const field = ({ fields }: RequestMessage, name: string): string => findField(fields, name) ?? 'absent'

/** The message with a field changed, and without it where nothing is given back. */
function changed(
  message: RequestMessage,
  name: string,
  change: (value: string) => string | undefined,
): RequestMessage {
  const fields = message.fields.flatMap(([one, value]): readonly Field[] => {
    if (one !== name) return [[one, value]]
    const other = change(value)
    return other === undefined ? [] : [[one, other]]
  })
  return { ...message, fields }
}

const transfer = signed('transfer')
const sent = forBackend(transfer)

it('signForBackend adds the caller and the device key', () => {
  expect(field(sent, 'miniseal-caller')).toBe(callerField)
  expect(field(sent, 'miniseal-device-key')).toBe(encodeBase64Url(device.publicKey))
})

it('signForBackend adds a signature over the components of the device and its own fields', () => {
  const input = `gateway=(${covered} "miniseal-caller" "miniseal-device-key");${params}`
  expect(field(sent, 'signature-input')).toBe(`${field(transfer, 'signature-input')}, ${input}`)
  const signature = field(sent, 'signature')
  expect(signature.startsWith(`${field(transfer, 'signature')}, gateway=:`)).toBe(true)
  expect(sent.fields.filter(([name]) => name.startsWith('signature'))).toHaveLength(2)
})

it('signForBackend changes nothing else', () => {
  const rest = (message: RequestMessage) =>
    message.fields.filter(([name]) => !/^(signature|signature-input|miniseal-.*)$/.test(name))
  expect(rest(sent)).toEqual(rest(transfer))
  expect({ ...sent, fields: [] }).toEqual({ ...transfer, fields: [] })
})

it('signForBackend replaces caller fields that a client sent', () => {
  const claimed: RequestMessage = {
    ...transfer,
    fields: [...transfer.fields, ['miniseal-caller', 'user="root"'], ['miniseal-device-key', 'AAAA']],
  }
  expect(forBackend(claimed)).toEqual(sent)
})

it.each([
  ['the label', 'gateway=("@path");tag="x"', 'gateway=:AAAA:'],
  ['the label of the signature alone', undefined, 'gateway=:AAAA:'],
  ['the label of the input alone', 'gateway=()', undefined],
  ['the tag under another label', 'mine=("@path");tag="miniseal-gateway"', 'mine=:AAAA:'],
  ['the tag of what is no list', 'mine=1;tag="miniseal-gateway"', undefined],
])('signForBackend drops a signature of the client that has %s', (_title, input, signature) => {
  const more = (member: string | undefined) => (value: string) =>
    member === undefined ? value : `${value}, ${member}`
  const message = changed(changed(transfer, 'signature-input', more(input)), 'signature', more(signature))
  expect(field(forBackend(message), 'signature-input')).toBe(field(sent, 'signature-input'))
  expect(field(forBackend(message), 'signature')).toBe(field(sent, 'signature'))
})

it('signForBackend keeps other signatures of the client', () => {
  const other = changed(
    changed(transfer, 'signature-input', (value) => `${value}, mine=("@path");tag="x"`),
    'signature',
    (value) => `${value}, mine=:AAAA:`,
  )
  expect(field(forBackend(other), 'signature-input')).toContain(', mine=("@path");tag="x", gateway=(')
  expect(field(forBackend(other), 'signature')).toContain(', mine=:AAAA:, gateway=:')
})

it('signForBackend refuses a caller that a field cannot represent', () => {
  const invalidCaller = { ...caller, user: 'ü' }
  expect(() =>
    signForBackend(primitives, transfer, invalidCaller, device.publicKey, service, now, nonce),
  ).toThrow(FormatError)
})

describe('parseGatewaySignature', () => {
  it('parseGatewaySignature parses a signature of signForBackend, which verifies', () => {
    const read = parseGatewaySignature(sent)
    expect(read).toMatchObject({
      created: now,
      nonce,
      keyid: service.keyid,
      caller,
      publicKey: device.publicKey,
    })
    expect(read.base.split('\n').at(-2)).toBe(`"miniseal-device-key": ${encodeBase64Url(device.publicKey)}`)
    expect(() => assertSignature(primitives, read, service.publicKey)).not.toThrow()
  })

  /** The member `gateway` of the input, changed. */
  const input = (from: string | RegExp, to: string) =>
    changed(sent, 'signature-input', (value) => value.replace(from, to))
  const claims = (to: string) => changed(sent, 'miniseal-caller', () => to)
  const key = (to: string) => changed(sent, 'miniseal-device-key', () => to)

  it.each<[string, string, RequestMessage]>([
    ['no signature fields', 'signature_missing', changed(sent, 'signature-input', () => undefined)],
    ['an input that cannot be read', 'signature_malformed', input('gateway=', 'gateway==')],
    ['an input that is no list', 'signature_malformed', input(/gateway=\(.*?\)/, 'gateway=1')],
    [
      'signatures that cannot be read',
      'signature_malformed',
      changed(sent, 'signature', (value) => `${value}:`),
    ],
    [
      'a signature of 63 bytes',
      'signature_malformed',
      changed(sent, 'signature', (value) => value.replace(/gateway=.*/, `gateway=:${'A'.repeat(84)}:`)),
    ],
    ['a tag that is a token', 'tag_invalid', input('"miniseal-gateway"', 'miniseal-gateway')],
    [
      'its tag twice',
      'signature_malformed',
      changed(sent, 'signature-input', (value) => `${value}, more=();tag="miniseal-gateway"`),
    ],
    [
      'its tag twice, once on what is no list',
      'signature_malformed',
      changed(sent, 'signature-input', (value) => `${value}, more=1;tag="miniseal-gateway"`),
    ],
    ['a nonce in base64', 'signature_malformed', input(encodeBase64Url(nonce), '++++++++++++++++++++++')],
    ['no keyid', 'signature_malformed', input(`;keyid="${service.keyid}"`, '')],
    [
      'a component more',
      'components_incomplete',
      input('"miniseal-device-key")', '"miniseal-device-key" "@scheme")'),
    ],
    [
      'components in another order',
      'components_incomplete',
      input('"miniseal-caller" "miniseal-device-key")', '"miniseal-device-key" "miniseal-caller")'),
    ],
    ['a component that is a token', 'components_incomplete', input('"miniseal-caller"', 'miniseal-caller')],
    [
      'one member of a component',
      'components_incomplete',
      input('"miniseal-caller"', '"miniseal-caller";key="user"'),
    ],
    [
      'a component with a parameter',
      'components_incomplete',
      input('"miniseal-caller"', '"miniseal-caller";x'),
    ],
    ['no caller', 'components_incomplete', changed(sent, 'miniseal-caller', () => undefined)],
    ['no device key', 'components_incomplete', changed(sent, 'miniseal-device-key', () => undefined)],
    ['a caller that cannot be read', 'signature_malformed', claims(`${callerField},`)],
    ['a caller without a claim', 'signature_malformed', claims(callerField.replace(', acr="soter"', ''))],
    ['a caller with another claim', 'signature_malformed', claims(`${callerField}, role="admin"`)],
    ['a claim under another name', 'signature_malformed', claims(callerField.replace('acr=', 'role='))],
    ['a claim that is a token', 'signature_malformed', claims(callerField.replace('"soter"', 'soter'))],
    ['a claim that is a list', 'signature_malformed', claims(callerField.replace('"soter"', '("soter")'))],
    ['a claim with a parameter', 'signature_malformed', claims(callerField.replace('"soter"', '"soter";x'))],
    ['a device key of 31 bytes', 'signature_malformed', key(encodeBase64Url(device.publicKey.subarray(1)))],
    ['a device key in base64', 'signature_malformed', key('+'.repeat(43))],
  ])('parseGatewaySignature refuses %s', (_title, code, message) => {
    expect(codeOf(() => parseGatewaySignature(message))).toBe(code)
  })

  it('parseGatewaySignature does not repeat input in its error messages', () => {
    const message = claims(`${callerField}, canary="1"`)
    expect(() => parseGatewaySignature(message)).toThrow(ProtocolError)
    expect(() => parseGatewaySignature(message)).not.toThrow(/canary/)
  })
})
