/** Changes that proxies and frameworks make to a request: the report names each. */
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { explainCapture, firstFailure, type SignatureReport } from '../../../packages/verify/explain/index.ts'
import { readCapture } from '../../../service/explain/inputs.ts'
import type { RequestParts } from '../../support/captured.ts'
import { forwardedRequest, httpText, known, withDigest, withField } from '../../support/captured.ts'

function explained(message: RequestMessage): { device: SignatureReport; gateway: SignatureReport } {
  const report = explainCapture(readCapture(httpText(message)), known)
  const [device, gateway] = report.signatures
  if (device?.kind !== 'device' || gateway?.kind !== 'gateway') throw new Error('not both signatures')
  return { device, gateway }
}

function failedAs(report: SignatureReport): readonly string[] {
  const step = firstFailure(report.steps)
  return [step?.name ?? 'none', ...(step?.findings.map(({ id }) => id) ?? [])]
}

it('an unchanged request passes every check', () => {
  const { device, gateway } = explained(forwardedRequest())
  expect(device.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'signature ok',
    'window ok',
    'digest ok',
    'key ok',
    'verify ok',
    'token ok',
  ])
  expect(gateway.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'signature ok',
    'window ok',
    'digest ok',
    'key ok',
    'verify ok',
    'caller ok',
  ])
})

type Row = readonly [string, string, RequestParts, (message: RequestMessage) => RequestMessage]

const target = (path: string) => (message: RequestMessage) => ({ ...message, path })
const field = (name: string, value: string) => (message: RequestMessage) =>
  withField(message, name, () => value)
const added = (name: string, value: string) => (message: RequestMessage) => ({
  ...message,
  fields: [...message.fields, [name, value] as const],
})
const at = (path: string): RequestParts => ({ path })

const rows: readonly Row[] = [
  ['decoded an escape in the path', 'path-encoded', at('/f/%28x%29'), target('/f/(x)')],
  ['encoded the path', 'path-decoded', at('/f/(x)'), target('/f/%28x%29')],
  ['encoded the escapes again', 'path-decoded', at('/f/a%20b'), target('/f/a%2520b')],
  ['wrote escapes in lower case', 'path-escape-case', at('/f/%E4%BD%A0'), target('/f/%e4%bd%a0')],
  ['wrote a space in the path as +', 'path-plus', at('/f/a%20b'), target('/f/a+b')],
  ['removed the last slash', 'path-slash', at('/f/'), target('/f')],
  ['added a slash', 'path-slash', at('/f?x=1'), target('/f/?x=1')],
  ['added a prefix', 'path-prefix', at('/orders/1'), target('/backend/orders/1')],
  ['stripped the prefix /api', 'path-prefix', at('/api/orders/1'), target('/orders/1')],
  [
    'rewrote the target and added the original',
    'target-original',
    at('/shop/7?x=1'),
    (m) => added('x-original-uri', '/shop/7?x=1')(target('/internal')(m)),
  ],
  ['sorted the query', 'query-reordered', at('/f?b=2&a=1&c=3'), target('/f?a=1&b=2&c=3')],
  ['wrote %20 in the query as +', 'query-plus', at('/f?q=a%20b'), target('/f?q=a+b')],
  ['decoded the query', 'query-encoded', at('/f?q=%28a%29'), target('/f?q=(a)')],
  ['dropped an empty value’s sign', 'query-equals', at('/f?q=&x=1'), target('/f?q&x=1')],
  ['added a tracking parameter', 'query-parameter', at('/f?q=1'), target('/f?q=1&utm_source=mail')],
  ['added a query', 'query-removed', at('/f'), target('/f?_=1764')],
  [
    'replaced Host',
    'host-forwarded',
    {},
    (m) => added('x-forwarded-host', 'pay.example.com')({ ...m, authority: '10.0.0.5:9001' }),
  ],
  ['added a port to Host', 'host-port-removed', {}, (m) => ({ ...m, authority: 'pay.example.com:8080' })],
  [
    'removed the port from Host',
    'host-port-added',
    { authority: 'pay.example.com:8443' },
    (m) => ({ ...m, authority: 'pay.example.com' }),
  ],
  ['changed the method', 'method-other', {}, (m) => ({ ...m, method: 'PUT' })],
  ['added a charset', 'type-charset', {}, field('content-type', 'application/json; charset=utf-8')],
  ['removed the quotes of a string', 'field-quotes', {}, field('idempotency-key', 'made-by-hand')],
  [
    'changed the scheme of the token',
    'field-scheme',
    {},
    (m) => withField(m, 'authorization', (v) => v.replace('HTTPSig', 'Bearer')),
  ],
  ['added a second field', 'field-first', {}, added('idempotency-key', '"proxy"')],
  [
    'joined fields with a comma alone',
    'field-joined',
    { fields: [['if-none-match', '"a", "b"']] },
    field('if-none-match', '"a","b"'),
  ],
]

describe('explain names the change of a proxy', () => {
  it.each(rows)('the report names a proxy that %s', (_title, id, parts, change) => {
    const { device, gateway } = explained(change(forwardedRequest(parts)))
    expect(failedAs(device)).toEqual(['verify', id])
    expect(failedAs(gateway)).toEqual(['verify', id])
    expect(device.other?.whose).toBe('signer')
    expect(device.difference).toBeDefined()
  })

  it('the report explains a proxy that rewrote the body and its digest', () => {
    const message = withDigest(forwardedRequest(), '{"payee": "bob", "amount": "12.50"}')
    expect(failedAs(explained(message).device)).toEqual(['verify', 'digest-of-form'])
  })

  it('the report explains a proxy that changed two parts', () => {
    const moved = {
      ...forwardedRequest({ path: '/f?b=2&a=1' }),
      path: '/f?a=1&b=2',
      authority: 'pay.example.com:8080',
    }
    expect(failedAs(explained(moved).device)).toEqual(['verify', 'host-port-removed', 'query-reordered'])
  })
})

describe('explain names the change of a body', () => {
  const json = '{"payee":"bob","amount":"12.50"}'
  const bodies: readonly (readonly [string, string, string | Uint8Array, string | Uint8Array])[] = [
    ['was parsed and written with spaces', 'body-json-minified', json, '{"payee": "bob", "amount": "12.50"}'],
    ['was minified', 'body-json-pretty', '{\n  "a": 1\n}', '{"a":1}'],
    ['gained a line end', 'body-newline-stripped', json, `${json}\n`],
    ['lost its line end', 'body-newline-added', `${json}\n`, json],
    ['has other line ends', 'body-line-ends', 'a\nb\n', 'a\r\nb\r\n'],
    [
      'got a byte order mark',
      'body-bom',
      json,
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(json)]),
    ],
    ['was decompressed', 'body-gzip', new Uint8Array(gzipSync(json)), json],
    ['was compressed', 'body-gunzip', json, new Uint8Array(gzipSync(json))],
    [
      'was compressed at another level',
      'body-re-gzip',
      new Uint8Array(gzipSync(json.repeat(200), { level: 9 })),
      new Uint8Array(gzipSync(json.repeat(200), { level: 1 })),
    ],
    ['escapes characters differently', 'body-json-escaped', '{"a":"\\u4f60"}', '{"a":"你"}'],
    ['was converted to Latin-1', 'body-charset', '{"a":"é"}', Buffer.from('{"a":"é"}', 'latin1')],
    ['was decoded from base64', 'body-to-base64', Buffer.from(json).toString('base64'), json],
    ['was removed', 'body-gone', json, ''],
    ['was replaced', 'body-other', json, '{"payee":"eve"}'],
  ]
  it.each(bodies)('the report names a body that %s', (_title, id, signed, arrived) => {
    const content = typeof arrived === 'string' ? encodeUtf8(arrived) : new Uint8Array(arrived)
    const { device } = explained({ ...forwardedRequest({ body: signed }), content })
    const digest = device.steps.find(({ name }) => name === 'digest')
    expect(digest).toMatchObject({ outcome: 'failed', code: 'digest_mismatch', findings: [{ id }] })
    expect(failedAs(device)).toEqual(['digest', id])
  })
})
