import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeResponse, findField, parseResponse } from '../../../crypto/frames/binary-http.ts'
import { signResponse, verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { codeOf } from './code-of.ts'
import { answered, answers, now, service, serviceKeys, signed } from './fixed-inputs.ts'
import { partsOf, withField } from './handmade-signatures.ts'

const judge = (response: ResponseMessage, request: RequestMessage) =>
  codeOf(() => verifyResponse(primitives, parseResponse(encodeResponse(response)), request, serviceKeys))

it('signResponse covers the components of the protocol in its order', () => {
  const request = signed('transfer')
  const message = {
    ...answers.created,
    fields: [['content-encoding', 'identity'], ...answers.created.fields],
  } as const
  const answer = signResponse(primitives, message, request, service, now)
  expect(findField(answer.fields, 'signature-input')).toBe(
    'sig=("@status" "content-type" "content-encoding" "content-digest" "miniseal-receipt" "@method";req ' +
      '"@authority";req "@path";req "@query";req "content-digest";req "signature-input";req;key="sig" ' +
      `"signature";req;key="sig");created=${now};keyid="${service.keyid}";tag="miniseal-response"`,
  )
})

it('signResponse omits absent fields of the response and the request', () => {
  expect(partsOf(answered('empty', signed('read'))).components).toEqual([
    '"@status"',
    '"@method";req',
    '"@authority";req',
    '"@path";req',
    '"@query";req',
    '"signature-input";req;key="sig"',
    '"signature";req;key="sig"',
  ])
})

it('signResponse without a request binds to none, so no client accepts the response', () => {
  const answer = answered('problem', undefined)
  expect(partsOf(answer).components).toEqual([
    '"@status"',
    '"content-type"',
    '"content-digest"',
    '"miniseal-problem"',
  ])
  expect(judge(answer, signed('read'))).toBe('components_incomplete')
})

it('signResponse omits a malformed field of the request', () => {
  const request = withField(signed('read'), 'signature-input', 'sig=(')
  expect(partsOf(answered('problem', request)).components).not.toContain('"signature-input";req;key="sig"')
})

it('signResponse replaces a digest and a malformed signature of a backend', () => {
  const fields = [
    ['content-digest', 'sha-256=:AA==:'],
    ['signature', 'x'],
    ['signature-input', 'y'],
  ] as const
  const message = { ...answers.created, fields: [...answers.created.fields, ...fields] }
  const request = signed('transfer')
  const answer = signResponse(primitives, message, request, service, now)
  expect(judge(answer, request)).toBeUndefined()
})

describe('signResponse, with what a backend signed', () => {
  const request = signed('transfer')

  it('signResponse puts its signature before the signature of a backend', () => {
    const passed = [
      ['signature-input', 'bank=("@status");created=1'],
      ['signature', 'bank=:AAAA:'],
    ] as const
    const message = { ...answers.created, fields: [...answers.created.fields, ...passed] }
    const answer = signResponse(primitives, message, request, service, now)
    const plain = signResponse(primitives, answers.created, request, service, now)
    const own = (name: string) => findField(plain.fields, name)
    expect(findField(answer.fields, 'signature-input')).toBe(
      `${own('signature-input')}, bank=("@status");created=1`,
    )
    expect(findField(answer.fields, 'signature')).toBe(`${own('signature')}, bank=:AAAA:`)
    expect(judge(answer, request)).toBeUndefined()
  })

  it('signResponse refuses a status of four digits', () => {
    const message = { ...answers.created, status: 1200 }
    expect(() => signResponse(primitives, message, request, service, now)).toThrow(
      new FormatError('status is not three digits'),
    )
  })
})

it('verifyResponse returns the time of the signature', () => {
  const request = signed('transfer')
  expect(verifyResponse(primitives, answered('created', request), request, serviceKeys)).toEqual({
    created: now + 1,
  })
})

it('verifyResponse refuses every key when none is published', () => {
  const request = signed('transfer')
  expect(codeOf(() => verifyResponse(primitives, answered('created', request), request, []))).toBe(
    'key_unknown',
  )
})
