import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { component, createSignatureSync, verifySignature } from 'http-message-sig'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import {
  componentItem,
  componentValue,
  type SignatureContext,
  signatureBase,
} from '../../../crypto/http-signatures/signature-base.ts'
import {
  type InnerList,
  parseDictionary,
  parseItem,
  serializeDictionary,
  serializeInnerList,
} from '../../../crypto/http-signatures/structured-fields.ts'

/** RFC 9421, section B.1.4: `test-key-ed25519`. */
const TEST_KEY = { kty: 'OKP', crv: 'Ed25519', x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' }
const TEST_SECRET = 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU'
const testKey = createPublicKey({ key: TEST_KEY, format: 'jwk' })

const REQUEST: RequestMessage = {
  method: 'POST',
  scheme: 'https',
  authority: 'pay.example.com',
  path: '/orders?currency=CNY',
  fields: [
    ['content-type', 'application/json'],
    ['example-dict', ' a=1, b=2;x=1;y=2,  c=(a   b    c), d'],
    ['signature-input', 'sig=("@method" "@path");created=1700000000;keyid="device"'],
    ['signature', 'sig=:YWJj:'],
    ['x-empty', ''],
  ],
  content: new Uint8Array(0),
}
const RESPONSE: ResponseMessage = {
  status: 201,
  fields: [['content-type', 'text/plain']],
  content: new Uint8Array(0),
}

function listOf(text: string): InnerList {
  const member = parseDictionary(`sig=${text}`).get('sig')
  if (member?.kind !== 'inner-list') throw new Error('not an inner list')
  return member
}

function evaluate(text: string, context: SignatureContext): string | undefined {
  return componentValue(parseItem(text), context)
}

/** Verifies as RFC 9421, section 3.2 says, from the two fields as they were sent. */
function verifies(context: SignatureContext, input: string, signature: string, key: KeyObject): boolean {
  const [label, list] = [...parseDictionary(input)][0] ?? []
  const member = label === undefined ? undefined : parseDictionary(signature).get(label)
  if (list?.kind !== 'inner-list' || member?.kind !== 'item' || member.value.kind !== 'bytes') {
    throw new Error('not a signature')
  }
  return verify(null, Buffer.from(signatureBase(list, context)), key, member.value.value)
}

describe('RFC 9421, section B.2.6', () => {
  const request: RequestMessage = {
    method: 'POST',
    scheme: 'https',
    authority: 'example.com',
    path: '/foo?param=Value&Pet=dog',
    fields: [
      ['date', 'Tue, 20 Apr 2021 02:07:55 GMT'],
      ['content-type', 'application/json'],
      ['content-length', '18'],
    ],
    content: Buffer.from('{"hello": "world"}'),
  }
  const params =
    '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'
  const signature = 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=='

  it('signatureBase gives the base of RFC 9421, section B.2.6', () => {
    const base = signatureBase(listOf(params), { request })
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        `"@signature-params": ${params}`,
      ].join('\n'),
    )
    expect(base.length).toBe(284)
    expect(createHash('sha256').update(base).digest('hex')).toBe(
      'e6402577f54303accfda63dfbde1a7b8c5e5e6f3f7898637b7d78dc07ee1896a',
    )
  })

  it('the base of RFC 9421, section B.2.6 has the signature of the RFC', () => {
    const secret = createPrivateKey({ key: { ...TEST_KEY, d: TEST_SECRET }, format: 'jwk' })
    const base = Buffer.from(signatureBase(listOf(params), { request }))
    expect(sign(null, base, secret).toString('base64')).toBe(signature)
    expect(verifies({ request }, `sig-b26=${params}`, `sig-b26=:${signature}:`, testKey)).toBe(true)
  })
})

describe('RFC 9421, section B.4', () => {
  const input =
    'transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"'
  const signature =
    'transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:'
  const original: RequestMessage = {
    method: 'GET',
    scheme: 'https',
    authority: 'example.org',
    path: '/demo?name1=Value1&Name2=value2',
    fields: [
      ['date', 'Fri, 15 Jul 2022 14:24:55 GMT'],
      ['accept', 'application/json, */*'],
    ],
    content: new Uint8Array(0),
  }

  it.each<[string, RequestMessage]>([
    ['as it was sent', original],
    [
      'with another query and an added field',
      {
        ...original,
        path: '/demo?name1=Value1&Name2=value2&param=added',
        fields: [['accept-language', 'en-US,en;q=0.5'], ...original.fields],
      },
    ],
    [
      'with fields reordered, a field removed and the host in capitals',
      {
        ...original,
        authority: 'EXAMPLE.org:443',
        fields: [
          ['referer', 'https://developer.example.org/demo'],
          ['accept', '  application/json, */*\t'],
        ],
      },
    ],
  ])('the signature of RFC 9421, section B.4 verifies for the request %s', (_title, request) => {
    expect(verifies({ request }, input, signature, testKey)).toBe(true)
  })

  it.each<[string, RequestMessage]>([
    ['another method and authority', { ...original, method: 'POST', authority: 'example.com' }],
    ['the accept values in another order', { ...original, fields: [['accept', '*/*, application/json']] }],
  ])('the signature of RFC 9421, section B.4 does not verify for the request with %s', (_title, request) => {
    expect(verifies({ request }, input, signature, testKey)).toBe(false)
  })
})

/** From the includes of draft-ietf-wimse-s2s-protocol: a request and its response, signed by another implementation. */
describe('the WIMSE example', () => {
  const serviceA = { kty: 'OKP', crv: 'Ed25519', x: 'ZjlVT4COsCkQO9HIo6tDWAXayQ0MymoFUKJRIQ7S8R8' }
  const serviceB = { kty: 'OKP', crv: 'Ed25519', x: 'lBtLS8cNt_7pWsdi2xgx760lWpzEvqYe2DpSk9ELH2w' }
  const tokenA = [
    'eyJhbGciOiJFZERTQSIsImtpZCI6Imlzc3Vlci1rZXkiLCJ0eXAiOiJ3aXQrand0In0',
    'eyJjbmYiOnsiandrIjp7ImFsZyI6IkVkRFNBIiwiY3J2IjoiRWQyNTUxOSIsImtpZCI6InN2Yy1hLWtleSIsImt0eSI6Ik9LUCIsIngiOiJaamxWVDRDT3NDa1FPOUhJbzZ0RFdBWGF5UTBNeW1vRlVLSlJJUTdTOFI4In19LCJleHAiOjE3ODUxNTYwOTcsImlhdCI6MTc4NTE1NTc5NywiaXNzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9pc3N1ZXIiLCJqdGkiOiJ3aXQtMTc4NTE1NTc5NzIxNjU0NTcxOSIsInN1YiI6IndpbXNlOi8vZXhhbXBsZS5jb20vc3ZjQSJ9',
    'BqJfcsbrYlS9GSQ7NpFBBVz4CeszShqleIyr2sSnd0Ic6l2HXX27giZcdAOGnXjtv_7h-9vV16GZbVcrQt6hCg',
  ].join('.')
  const tokenB = [
    'eyJhbGciOiJFZERTQSIsImtpZCI6Imlzc3Vlci1rZXkiLCJ0eXAiOiJ3aXQrand0In0',
    'eyJjbmYiOnsiandrIjp7ImFsZyI6IkVkRFNBIiwiY3J2IjoiRWQyNTUxOSIsImtpZCI6InN2Yy1iLWtleSIsImt0eSI6Ik9LUCIsIngiOiJsQnRMUzhjTnRfN3BXc2RpMnhneDc2MGxXcHpFdnFZZTJEcFNrOUVMSDJ3In19LCJleHAiOjE3ODUxNTYwOTksImlhdCI6MTc4NTE1NTc5OSwiaXNzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9pc3N1ZXIiLCJqdGkiOiJ3aXQtMTc4NTE1NTc5NzIxNjY3MDUxOCIsInN1YiI6IndpbXNlOi8vZXhhbXBsZS5jb20vc3ZjQiJ9',
    'HIAU2288ryXoym1M9fnKZqd0p2Vl7spOh-FY2jCFY-05H74-WPUFWrg5lH5f2rHl47TfxEGri3fmMP4zhYzeAw',
  ].join('.')
  const request: RequestMessage = {
    method: 'GET',
    scheme: 'https',
    authority: 'svcb.example.com',
    path: '/gimme-ice-cream?flavor=vanilla',
    fields: [['workload-identity-token', tokenA]],
    content: new Uint8Array(0),
  }
  const response: ResponseMessage = {
    status: 404,
    fields: [
      ['content-digest', 'sha-256=:UHKweBl9cpjdVqgTB65El8SexXlJYGG+XIslAYqC1mY=:'],
      ['content-type', 'text/plain'],
      ['workload-identity-token', tokenB],
    ],
    content: Buffer.from('No ice cream today.\n'),
  }
  const responseInput =
    'wimse=("@status" "workload-identity-token" "content-type" "content-digest" "@method";req "@request-target";req);created=1785155797;expires=1785156099;nonce="abcd2222";tag="wimse-workload-to-workload";wimse-req-nonce="abcd1111"'
  const responseSignature =
    'wimse=:57ZChndLoz5toS+/0RGeQJG53gLrZD/bBterOWnHF1vb0cdceeUOKH/t4A+/bvquC/0VCb5DYFRdFNz4CW8yBQ==:'

  it('the request of the WIMSE example verifies', () => {
    const input =
      'wimse=("@method" "@request-target" "workload-identity-token");created=1785155797;expires=1785156097;nonce="abcd1111";tag="wimse-workload-to-workload";wimse-aud="https://svcb.example.com/gimme-ice-cream";wimse-sign-response'
    const signature =
      'wimse=:zSK+kx5EnoZct9FZ6LMYzfx0mk32oI/hHpB7y4rgHxkRDcAA72yBW5xgzA03nKviXLjL7nphq840Uwznp6IKAw==:'
    expect(verifies({ request }, input, signature, createPublicKey({ key: serviceA, format: 'jwk' }))).toBe(
      true,
    )
  })

  it('the response of the WIMSE example verifies for its own request only', () => {
    const key = createPublicKey({ key: serviceB, format: 'jwk' })
    expect(verifies({ request, response }, responseInput, responseSignature, key)).toBe(true)
    const other = { ...request, path: '/gimme-ice-cream?flavor=lemon' }
    expect(verifies({ request: other, response }, responseInput, responseSignature, key)).toBe(false)
  })
})

describe('http-message-sig as an outside judge', () => {
  const secret = createPrivateKey({ key: { ...TEST_KEY, d: TEST_SECRET }, format: 'jwk' })
  const params = { created: 1700000000, keyid: 'service', tag: 'miniseal-response' }
  const covered =
    '("@status" "content-type" "@method";req "@authority";req "@path";req "@query";req "content-type";req "signature-input";req;key="sig" "signature";req;key="sig")'
  const outside = {
    kind: 'response',
    status: 201,
    fields: RESPONSE.fields.map(([name, value]) => ({ name, value })),
    request: {
      kind: 'request',
      method: 'POST',
      targetUri: 'https://pay.example.com/orders?currency=CNY',
      fields: REQUEST.fields.map(([name, value]) => ({ name, value })),
    },
  } as const

  it('http-message-sig verifies a response signature over our base', async () => {
    const list = listOf(`${covered};created=${params.created};keyid="${params.keyid}";tag="${params.tag}"`)
    const base = Buffer.from(signatureBase(list, { request: REQUEST, response: RESPONSE }))
    const fields = [
      ...outside.fields,
      { name: 'signature-input', value: serializeDictionary(new Map([['sig', list]])) },
      { name: 'signature', value: `sig=:${sign(null, base, secret).toString('base64')}:` },
    ]
    const verified = await verifySignature(
      { ...outside, fields },
      {
        policy: {
          algorithms: ['ed25519'],
          requiredComponents: ['@status'],
          requiredParameters: ['created'],
          now: 1700000000,
        },
        resolveVerifier: () => ({
          algorithm: 'ed25519',
          verify: (data: Uint8Array, signature: Uint8Array) => verify(null, data, testKey, signature),
        }),
      },
    )
    expect(verified.parameters.tag).toBe('miniseal-response')
  })

  it('a response signature of http-message-sig verifies over our base', () => {
    const components = listOf(covered).items.map((item) => {
      const entries = [...item.params].map(([name, param]) => [name, param.value])
      return component(String(item.value.value), Object.fromEntries(entries))
    })
    const { signatureInput, signature } = createSignatureSync(outside, {
      label: 'sig',
      components,
      parameters: params,
      signer: { algorithm: 'ed25519', sign: (data: Uint8Array) => Uint8Array.from(sign(null, data, secret)) },
    })
    expect(verifies({ request: REQUEST, response: RESPONSE }, signatureInput, signature, testKey)).toBe(true)
  })
})

describe('componentValue', () => {
  it.each([
    ['@method', 'POST'],
    ['@scheme', 'https'],
    ['@authority', 'pay.example.com'],
    ['@path', '/orders'],
    ['@query', '?currency=CNY'],
    ['@request-target', '/orders?currency=CNY'],
    ['@target-uri', 'https://pay.example.com/orders?currency=CNY'],
  ])('componentValue derives %s from a request, and for a response only with req', (name, value) => {
    expect(evaluate(`"${name}"`, { request: REQUEST })).toBe(value)
    expect(evaluate(`"${name}";req`, { request: REQUEST, response: RESPONSE })).toBe(value)
    const misplaced = new FormatError('component belongs to the other message')
    expect(() => evaluate(`"${name}";req`, { request: REQUEST })).toThrow(misplaced)
    expect(() => evaluate(`"${name}"`, { request: REQUEST, response: RESPONSE })).toThrow(misplaced)
  })

  it('componentValue does not normalise the method or percent-encoding', () => {
    const request = { ...REQUEST, method: 'pOsT', path: '/%7euser/a%2Fb?q=%20+' }
    expect(evaluate('"@method"', { request })).toBe('pOsT')
    expect(evaluate('"@path"', { request })).toBe('/%7euser/a%2Fb')
    expect(evaluate('"@query"', { request })).toBe('?q=%20+')
  })

  it.each([
    ['https', 'Pay.EXAMPLE.com', 'pay.example.com'],
    ['https', 'pay.example.com:443', 'pay.example.com'],
    ['HTTPS', 'pay.example.com:443', 'pay.example.com'],
    ['http', 'pay.example.com:80', 'pay.example.com'],
    ['http', 'pay.example.com:443', 'pay.example.com:443'],
    ['https', 'pay.example.com:8443', 'pay.example.com:8443'],
    ['https', '[::443]', '[::443]'],
  ])('componentValue writes the authority of %s://%s as %s', (scheme, authority, value) => {
    const request = { ...REQUEST, scheme, authority }
    expect(evaluate('"@authority"', { request })).toBe(value)
    expect(evaluate('"@target-uri"', { request })).toBe(
      `${scheme.toLowerCase()}://${value}/orders?currency=CNY`,
    )
  })

  it.each([
    ['/', '/', '?'],
    ['', '/', '?'],
    ['?a=b', '/', '?a=b'],
    ['/a?', '/a', '?'],
    ['/a?b?c', '/a', '?b?c'],
  ])('componentValue splits the target %j into %s and %s', (path, expectedPath, expectedQuery) => {
    const request = { ...REQUEST, path }
    expect([evaluate('"@path"', { request }), evaluate('"@query"', { request })]).toEqual([
      expectedPath,
      expectedQuery,
    ])
  })

  it('componentValue derives @status from the response only', () => {
    expect(evaluate('"@status"', { request: REQUEST, response: RESPONSE })).toBe('201')
    expect(evaluate('"@status"', { response: RESPONSE })).toBe('201')
    const reason = new FormatError('a request has no status')
    expect(() => evaluate('"@status"', { request: REQUEST })).toThrow(reason)
    expect(() => evaluate('"@status";req', { request: REQUEST, response: RESPONSE })).toThrow(reason)
    for (const status of [20, 1000, 1200, 200.5]) {
      const response = { ...RESPONSE, status }
      expect(() => evaluate('"@status"', { response })).toThrow(new FormatError('status is not three digits'))
    }
  })

  it('componentValue takes a field from the response, or from its request with req', () => {
    const context = { request: REQUEST, response: RESPONSE }
    expect(evaluate('"content-type"', context)).toBe('text/plain')
    expect(evaluate('"content-type";req', context)).toBe('application/json')
    expect(evaluate('"signature"', context)).toBeUndefined()
    expect(() => evaluate('"content-type";req', { response: RESPONSE })).toThrow(
      new FormatError('the request of the component is missing'),
    )
    expect(() => evaluate('"content-type"', {})).toThrow(
      new FormatError('the request of the component is missing'),
    )
  })

  it.each([
    ['a', '1'],
    ['b', '2;x=1;y=2'],
    ['c', '(a b c)'],
    ['d', '?1'],
    ['e', undefined],
  ])(
    'componentValue writes the dictionary member %s strictly, as RFC 9421, section 2.1.2 does',
    (key, value) => {
      expect(evaluate(`"example-dict";key="${key}"`, { request: REQUEST })).toBe(value)
    },
  )

  it('componentValue distinguishes an absent field from an empty one', () => {
    expect(evaluate('"x-empty"', { request: REQUEST })).toBe('')
    expect(evaluate('"x-absent"', { request: REQUEST })).toBeUndefined()
    expect(evaluate('"x-absent";key="a"', { request: REQUEST })).toBeUndefined()
  })

  it('componentValue never finds a derived name among the fields', () => {
    const request = { ...REQUEST, fields: [['@method', 'GET'] as const, ['@foo', 'bar'] as const] }
    expect(evaluate('"@method"', { request })).toBe('POST')
    expect(() => evaluate('"@foo"', { request })).toThrow(new FormatError('unsupported derived component'))
  })

  const parameter = 'unsupported component parameter'
  const name = 'component is not a lower-case field name'
  it.each([
    ['strict reserialization', '"example-dict";sf', parameter],
    ['byte sequences', '"content-type";bs', parameter],
    ['trailers', '"content-type";tr', parameter],
    ['an unknown parameter', '"content-type";foo', parameter],
    ['a name for a field', '"content-type";name="a"', parameter],
    ['a query parameter', '"@query-param";name="currency"', parameter],
    ['a query parameter without a name', '"@query-param"', 'unsupported derived component'],
    ['the signature parameters', '"@signature-params"', 'unsupported derived component'],
    ['req with a value', '"content-type";req=1', parameter],
    ['req that is false', '"content-type";req=?0', parameter],
    ['key without a value', '"example-dict";key', parameter],
    ['key as a token', '"example-dict";key=a', parameter],
    ['key on a derived component', '"@method";key="a"', parameter],
    ['a name in capitals', '"Content-Type"', name],
    ['an empty name', '""', name],
    ['a name with a line break', '"a: b"', name],
    ['a name that is not a string', 'content-type', 'component is not a string'],
    [
      'a member of a field that is no dictionary',
      '"content-type";key="a"',
      'structured field with trailing characters',
    ],
  ])('componentValue refuses %s', (_title, text, reason) => {
    expect(() => evaluate(text, { request: REQUEST })).toThrow(new FormatError(reason))
  })

  it.each(['a\nb', 'a\r\n b', 'é', 'a\0'])(
    'componentValue refuses the value %j, which could forge a line',
    (value) => {
      const reason = new FormatError('component value is not printable ascii')
      const fields: Field[] = [['x', value]]
      expect(() => evaluate('"x"', { request: { ...REQUEST, fields } })).toThrow(reason)
      expect(() => evaluate('"@method"', { request: { ...REQUEST, method: value } })).toThrow(reason)
      expect(() => evaluate('"@path"', { request: { ...REQUEST, path: `/${value}` } })).toThrow(reason)
      expect(() => evaluate('"@authority"', { request: { ...REQUEST, authority: value } })).toThrow(reason)
    },
  )

  it('componentValue refuses a repeated field', () => {
    const fields: Field[] = [
      ['x', '1'],
      ['x', '1'],
    ]
    expect(() => evaluate('"x"', { request: { ...REQUEST, fields } })).toThrow(
      new FormatError('field name repeated'),
    )
  })
})

it('signatureBase of no components is the parameters without a line feed', () => {
  expect(signatureBase(listOf('()'), { request: REQUEST })).toBe('"@signature-params": ()')
})

it('signatureBase writes the parameters of a component outside its quotes, in their order', () => {
  const list = listOf('("signature";key="sig";req "@status");created=1')
  expect(signatureBase(list, { request: REQUEST, response: RESPONSE })).toBe(
    '"signature";key="sig";req: :YWJj:\n"@status": 201\n"@signature-params": ("signature";key="sig";req "@status");created=1',
  )
})

it('signatureBase accepts identifiers of componentItem', () => {
  const req = new Map([['req', { kind: 'boolean', value: true } as const]])
  const items = [componentItem('@status'), componentItem('@method', req)]
  const list: InnerList = { kind: 'inner-list', items, params: new Map() }
  expect(serializeInnerList(list)).toBe('("@status" "@method";req)')
  expect(signatureBase(list, { request: REQUEST, response: RESPONSE })).toMatch(
    /^"@status": 201\n"@method";req: POST\n/,
  )
})

it.each(['("@method" "@method")', '("content-type" "content-type")'])(
  'signatureBase refuses the repetition in %s',
  (text) => {
    expect(() => signatureBase(listOf(text), { request: REQUEST })).toThrow(
      new FormatError('component covered twice'),
    )
  },
)

it('signatureBase refuses a repetition with the parameters in another order', () => {
  const list = listOf('("signature";req;key="sig" "signature";key="sig";req)')
  const context = { request: REQUEST, response: RESPONSE }
  expect(() => signatureBase(list, context)).toThrow(new FormatError('component covered twice'))
})

it('signatureBase treats components that differ in a parameter as two', () => {
  const list = listOf('("example-dict";key="a" "example-dict";key="b" "example-dict")')
  expect(signatureBase(list, { request: REQUEST }).split('\n')).toHaveLength(4)
})

it.each(['("x-absent")', '("example-dict";key="z")'])(
  'signatureBase refuses the absent component in %s',
  (text) => {
    expect(() => signatureBase(listOf(text), { request: REQUEST })).toThrow(
      new FormatError('covered component is absent'),
    )
  },
)
