/** Each check of `miniseal explain`, the mistakes of signers, and what is never printed. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { signatureBase } from '../../../crypto/http-signatures/signature-base.ts'
import { signResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { type InnerList, parseDictionary } from '../../../crypto/http-signatures/structured-fields.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import type { ExplainOptions, SignatureReport } from '../../../packages/verify/explain/index.ts'
import {
  en,
  explainCapture,
  firstFailure,
  jsonOf,
  printReport,
} from '../../../packages/verify/explain/index.ts'
import { readCapture, readKeys, UnreadableCapture, UnreadableKey } from '../../../service/explain/inputs.ts'
import { zhCN } from '../../../service/explain/locales/zh-CN.ts'
import { printProblem } from '../../../service/explain/problem.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import type { NamedKey } from '../../support/captured.ts'
import {
  created,
  device,
  forwardedRequest,
  httpText,
  keyFrom,
  known,
  makeToken,
  service,
  token,
  withField,
} from '../../support/captured.ts'

/** Enough for every single change of these short requests. */
const hasty = { tries: 300, pairs: false }

function reportsOf(
  message: RequestMessage,
  options: Partial<ExplainOptions> = {},
): readonly SignatureReport[] {
  return explainCapture(readCapture(httpText(message)), { ...known, budget: hasty, ...options }).signatures
}

function deviceOf(message: RequestMessage, options: Partial<ExplainOptions> = {}): SignatureReport {
  const found = reportsOf(message, options).find(({ kind }) => kind === 'device')
  if (found === undefined) throw new Error('no device signature')
  return found
}

function failure(report: SignatureReport): unknown {
  const step = firstFailure(report.steps)
  return [step?.name, step?.code, step?.findings.map(({ id, detail }) => `${id} ${detail}`.trim())]
}

/** Signs the base after `change`. */
function resigned(change: (base: string) => string | Uint8Array, by: NamedKey = device): RequestMessage {
  const message = forwardedRequest()
  const input = parseDictionary(message.fields.find(([name]) => name === 'signature-input')?.[1] ?? '').get(
    'sig',
  )
  const made = change(signatureBase(input as InnerList, { request: message }))
  const bytes = typeof made === 'string' ? encodeUtf8(made) : made
  const signature = Buffer.from(primitives.ed25519Sign(bytes, by.signer.secretKey)).toString('base64')
  return withField(message, 'signature', (value) => value.replace(/sig=:[^:]+:/, `sig=:${signature}:`))
}

describe('the clock', () => {
  it('the report names a device clock that is ahead and its seconds', () => {
    const report = deviceOf(forwardedRequest({ gatewayCreated: created - 300 }))
    expect(failure(report)).toEqual(['window', 'window_invalid', ['clock-ahead 300']])
  })

  it('the report names a device clock that is behind and its seconds', () => {
    const report = deviceOf(forwardedRequest({ gatewayCreated: created + 4000 }))
    expect(failure(report)).toEqual(['window', 'window_invalid', ['clock-behind 4000']])
  })

  it('the report does not blame the clock when the time of the request is unknown', () => {
    const message = forwardedRequest()
    const bare = withField(message, 'signature-input', (value) => value.replace(/, gateway=.*/, ''))
    const step = deviceOf(bare, { now: created + 9000 }).steps.find(({ name }) => name === 'window')
    expect(step).toMatchObject({ outcome: 'unknown', findings: [{ id: 'age-unknown', detail: '9000' }] })
    expect(failure(deviceOf(bare, { at: created + 9000 }))).toEqual([
      'window',
      'window_invalid',
      ['clock-behind 9000'],
    ])
  })
})

describe('a key', () => {
  it('the report names another known key that made the signature', () => {
    const other = keyFrom(7)
    const report = reportsOf(forwardedRequest(), { keys: [other.known] })[1]
    expect(report?.steps.find(({ name }) => name === 'key')).toMatchObject({ code: 'key_unknown' })
    const signedByOther = deviceOf(
      resigned((base) => base, other),
      { keys: [service.known, other.known] },
    )
    expect(failure(signedByOther)).toMatchObject([
      'verify',
      'signature_invalid',
      [expect.stringContaining('key-other')],
    ])
  })

  it('the report names a miniseal-device-key that does not match keyid', () => {
    const message = withField(forwardedRequest(), 'miniseal-device-key', () =>
      Buffer.from(keyFrom(5).publicKey).toString('base64url'),
    )
    expect(failure(deviceOf(message))).toMatchObject([
      'key',
      'key_unknown',
      [expect.stringContaining('device-key-other')],
    ])
  })

  it('a key is read as b64u, JWK, JWK Set or PEM, and a private key is refused without being printed', () => {
    const x = Buffer.from(device.publicKey).toString('base64url')
    const jwk = { kty: 'OKP', crv: 'Ed25519', x }
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), device.publicKey])
    const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
    for (const text of [x, JSON.stringify(jwk), JSON.stringify({ keys: [jwk, { kty: 'RSA' }] }), pem]) {
      expect(readKeys(text, 'option')[0]?.thumbprint).toBe(device.signer.keyid)
    }
    for (const text of ['', 'x', '{}', '{"keys":[]}', '-----BEGIN PUBLIC KEY-----']) {
      expect(() => readKeys(text, 'option')).toThrow(UnreadableKey)
    }
    const secret = JSON.stringify({ ...jwk, d: 'do-not-print-me' })
    expect(() => readKeys(secret, 'option')).toThrow(/private key: give the public one$/)
  })
})

describe('a token', () => {
  const other = 'https://other.example'
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      'of another key',
      makeToken({ cnf: { jkt: 'x'.repeat(43) } }),
      'token_key_mismatch',
      'token-of-other-key',
    ],
    ['that has expired', makeToken({ exp: created - 5 }), 'token_expired', 'token-late'],
    ['that was changed', `${token.slice(0, -8)}AAAAAAAA`, 'token_invalid', 'token-forged'],
    ['for another audience', makeToken({ aud: other }), 'token_invalid', 'token-of-other-service'],
    ['of another issuer', makeToken({ iss: other, aud: other }), 'token_invalid', 'token-of-other-service'],
    ['that is malformed', 'opaque', 'token_invalid', 'token-unreadable'],
  ]
  it.each(cases)('the report names a token %s', (_title, wrong, code, id) => {
    const step = deviceOf(forwardedRequest({ token: wrong })).steps.find(({ name }) => name === 'token')
    expect(step).toMatchObject({ outcome: 'failed', code, findings: [{ id }] })
  })

  it('a malformed token is not printed', () => {
    const report = explainCapture(
      readCapture(httpText(forwardedRequest({ token: 'opaque-and-secret' }))),
      known,
    )
    const other = explainCapture(
      readCapture(httpText(forwardedRequest({ path: '/f?a=1', token: 'opaque-and-secret' }))),
      {
        ...known,
        ...{ budget: hasty, signerBase: '"@method": POST\n"authorization": HTTPSig another-secret' },
      },
    )
    const output = [report, other]
      .flatMap((each) => [printReport(each, en), JSON.stringify(jsonOf(each, en))])
      .join('\n')
    expect(output).not.toContain('opaque-and-secret')
    expect(output).not.toContain('another-secret')
  })

  it('a token is never printed, also in the target', () => {
    const message = withField(
      forwardedRequest({ path: `/f?t=${token}` }),
      'authorization',
      (value) => `${value}x`,
    )
    const report = explainCapture(readCapture(httpText({ ...message, path: `${message.path}&x=1` })), {
      ...known,
      budget: hasty,
    })
    const output = [
      printReport(report, en),
      printReport(report, zhCN),
      JSON.stringify(jsonOf(report, en)),
    ].join('\n')
    for (const part of token.split('.')) expect(output).not.toContain(part.slice(0, 40))
    expect(output).toMatch(/HTTPSig <\d+ characters, sha256 [0-9a-f]{12}…>/)
  })
})

describe('explain names the mistake of a signer', () => {
  const mistakes: readonly (readonly [string, string, (base: string) => string | Uint8Array])[] = [
    ['ends the base with a line end', 'base-newline', (base) => `${base}\n`],
    ['ends lines with CR LF', 'base-crlf', (base) => base.replaceAll('\n', '\r\n')],
    ['hashes the base first', 'base-hashed', (base) => primitives.sha256(encodeUtf8(base))],
    ['leaves out @signature-params', 'base-params', (base) => base.slice(0, base.lastIndexOf('\n'))],
    ['writes @query without its mark', 'base-query', (base) => base.replace('"@query": ?', '"@query": ')],
    ['writes names without quotes', 'base-quotes', (base) => base.replace(/^"([^"]+)": /gm, '$1: ')],
    [
      'orders the parameters differently',
      'parameters-order',
      (base) => base.replace(/(;created=\d+)(;nonce="[^"]+")/, '$2$1'),
    ],
    ['signs alg and does not send it', 'parameters-more', (base) => `${base};alg="ed25519"`],
    [
      'signs a method in lower case',
      'method-case',
      (base) => base.replace('"@method": POST', '"@method": post'),
    ],
    [
      'signs the target of http',
      'host-port-added',
      (base) => base.replace('pay.example.com', 'pay.example.com:443'),
    ],
  ]
  it.each(mistakes)('the report names a signer that %s', (_title, id, change) => {
    const step = firstFailure(deviceOf(resigned(change)).steps)
    expect([step?.name, step?.findings[0]?.id]).toEqual(['verify', id])
  })

  it('the report names missing coverage and a covered field that is absent', () => {
    const less = withField(forwardedRequest(), 'signature-input', (value) =>
      value.replace(' "idempotency-key")', ')'),
    )
    expect(failure(deviceOf(less))).toMatchObject([
      'signature',
      'components_incomplete',
      [expect.stringMatching(/^coverage/)],
    ])
    const message = forwardedRequest()
    const lost = { ...message, fields: message.fields.filter(([name]) => name !== 'idempotency-key') }
    expect(failure(deviceOf(lost))).toEqual([
      'signature',
      'components_incomplete',
      ['component-gone idempotency-key'],
    ])
  })

  it('with the base of the signer the report names the component that differs', () => {
    const signerBase = 'x'
    const strange = resigned((base) => base.replace('/wallet/transfers', '/somewhere/else'))
    const base = deviceOf(strange).base ?? ''
    expect(base).toContain('/wallet/transfers')
    expect(failure(deviceOf(strange))).toMatchObject([
      'verify',
      'signature_invalid',
      [expect.stringMatching(/^unexplained/)],
    ])
    const plain = signatureBase(
      parseDictionary(strange.fields.find(([name]) => name === 'signature-input')?.[1] ?? '').get(
        'sig',
      ) as InnerList,
      { request: strange },
    )
    const deviceReport = deviceOf(strange, {
      signerBase: plain.replace('/wallet/transfers', '/somewhere/else'),
    })
    expect(failure(deviceReport)).toEqual(['verify', 'signature_invalid', ['base-differs @path']])
    expect(deviceReport.difference).toMatchObject({
      component: '@path',
      line: 3,
      column: 11,
      ours: 0x77,
      theirs: 0x73,
    })
    expect(failure(deviceOf(strange, { signerBase }))).toMatchObject([
      'verify',
      'signature_invalid',
      [expect.anything(), 'base-not-signed'],
    ])
    expect(failure(deviceOf(strange, { signerBase: plain }))).toEqual([
      'verify',
      'signature_invalid',
      ['same-base'],
    ])
  })
})

describe('a response', () => {
  const request = forwardedRequest()
  const plain: ResponseMessage = {
    status: 201,
    fields: [['content-type', 'application/json']],
    content: encodeUtf8('{"id":1}'),
  }
  const answer = signResponse(primitives, plain, request, service.signer, created)
  const exchange = (status: number): Uint8Array =>
    encodeUtf8(
      JSON.stringify({
        request: {
          method: request.method,
          url: `https://${request.authority}${request.path}`,
          headers: Object.fromEntries(request.fields),
          body: Buffer.from(request.content).toString('base64'),
        },
        response: {
          status,
          headers: Object.fromEntries(answer.fields),
          body: Buffer.from(answer.content).toString('base64'),
        },
      }),
    )

  it('a response verifies with its request', () => {
    const report = explainCapture(readCapture(exchange(201)), known)
    const [found] = report.signatures.filter(({ kind }) => kind === 'response')
    expect(found?.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'signature ok',
      'digest ok',
      'key ok',
      'verify ok',
    ])
  })

  it('the report names a changed status of a response', () => {
    const report = explainCapture(readCapture(exchange(200)), known)
    const [found] = report.signatures.filter(({ kind }) => kind === 'response')
    expect(found === undefined ? undefined : failure(found)).toEqual([
      'verify',
      'signature_invalid',
      ['status 201'],
    ])
  })
})

describe('control characters are written as escapes', () => {
  const evil = '\u001b[2J\u202e'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const steering = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/

  it('control characters in field names, targets and the signer’s base are escaped', () => {
    const message = { ...forwardedRequest(), path: `/f\u001b[2J?q=\u001b[2J` }
    const fields = [...message.fields, ['x\u001b[2J', 'a'], ['x\u001b[2J', 'b']] as const
    const capture = readCapture(httpText({ ...message, fields }))
    const options = { ...known, budget: hasty, signerBase: `"@path": ${evil}\n${evil}` }
    const report = explainCapture(capture, options)
    for (const output of [printReport(report, en), printReport(report, zhCN)]) {
      expect(output).toContain('\\u{1b}[2J')
      expect(output).not.toMatch(steering)
    }
  })

  it('control characters in a problem document are escaped', () => {
    const { problem } = readCapture(
      encodeUtf8(JSON.stringify({ code: 'replayed', step: evil, detail: evil })),
    )
    if (problem === undefined) throw new Error('no problem')
    const output = printProblem(problem, 'en', true)
    expect(output).toContain('\\u{1b}[2J\\u{202e}')
    expect(output).not.toMatch(steering)
  })
})

describe('arbitrary input', () => {
  const options: ExplainOptions = { ...known, budget: { tries: 40, pairs: true } }
  const survive = (bytes: Uint8Array): void => {
    try {
      const report = explainCapture(readCapture(bytes), options)
      const output = printReport(report, en) + printReport(report, zhCN)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(output).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
      JSON.stringify(jsonOf(report, en))
    } catch (error) {
      if (!(error instanceof UnreadableCapture)) throw error
    }
  }

  it('arbitrary bytes give a report or an UnreadableCapture error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survive), { numRuns: 300 })
  })

  it('almost valid JSON gives a report or an UnreadableCapture error', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.constantFrom('sig=()', 'sig=("@path");created=1', '\u001b[2J', '?', 'GET'),
    )
    const shape = fc.record(
      {
        method: text,
        url: text,
        status: fc.integer(),
        headers: fc.dictionary(
          fc.constantFrom('signature', 'signature-input', 'host', 'content-type', 'authorization', 'x'),
          text,
        ),
        body: text,
        code: text,
        log: fc.record({ entries: fc.array(fc.anything()) }),
        request: fc.anything(),
        response: fc.anything(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(shape, (value) => survive(encodeUtf8(JSON.stringify(value) ?? ''))),
      { numRuns: 300 },
    )
  })

  it('a request with changed bytes gives a report or an UnreadableCapture error', () => {
    const whole = httpText(forwardedRequest())
    const change = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(change, (changes) => {
        const bytes = whole.slice()
        for (const [offset, byte] of changes) bytes[offset] = byte
        survive(bytes)
      }),
      { numRuns: 60 },
    )
  })
})

it('both languages include the detail of a finding in their text', () => {
  for (const [id, text] of Object.entries(en.findings))
    expect([id, zhCN.findings[id as keyof typeof en.findings].includes('{}')]).toEqual([
      id,
      text.includes('{}'),
    ])
})
