/** gateway.json: requests that a backend behind the gateway must accept or refuse, in any language. */

import type { ProtocolCode } from '../../../../crypto/errors.ts'
import type { Field, RequestMessage } from '../../../../crypto/frames/binary-http.ts'
import { contentDigest } from '../../../../crypto/http-signatures/content-digest.ts'
import { componentItem } from '../../../../crypto/http-signatures/signature-base.ts'
import { encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { device, fixed, now, service, stranger } from '../../../unit/crypto/fixed-inputs.ts'
import type { GatewayCase, GatewayParts, GatewayWorld, Signer } from './gateway-requests.ts'
import {
  app,
  gatewayRequest,
  parameter,
  plus,
  reversed,
  seconds,
  session,
  signerFrom,
  text,
  user,
  without,
} from './gateway-requests.ts'
import { jsonRequest } from './json.ts'

const body = '{"n":1}'
const digest = contentDigest(primitives, encodeUtf8(body))
const json: Field = ['content-type', 'application/json']
const key: Field = ['idempotency-key', '"order-1"']

const withFields =
  (change: (field: Field) => readonly Field[]) =>
  (request: RequestMessage): RequestMessage => ({ ...request, fields: request.fields.flatMap(change) })
const replaced = (name: string, value: string) =>
  withFields((field) => [field[0] === name ? [name, value] : field])
const removed = (name: string) => withFields((field) => (field[0] === name ? [] : [field]))
const twice = (name: string, value?: string) =>
  withFields((field) => (field[0] === name ? [field, [name, value ?? field[1]]] : [field]))
const added = (name: string, value: string) => (request: RequestMessage) => ({
  ...request,
  fields: [...request.fields, [name, value] as const],
})
/** Only the member with this label of both fields. */
const only = (label: string) =>
  withFields(([name, value]) => {
    if (name !== 'signature-input' && name !== 'signature') return [[name, value]]
    const [sig = '', gateway = ''] = value.split(', gateway=')
    return [[name, label === 'sig' ? sig : `gateway=${gateway}`]]
  })

const accepted: readonly (readonly [string, GatewayParts])[] = [
  ['with a body', {}],
  ['without a body', { method: 'GET', target: '/orders', content: '', fields: [] }],
  ['with an encoded path and a trailing slash', { target: '/%E5%8D%88/a%20b/?q=%2F&x=?' }],
  ['without a query', { target: '/orders/7' }],
  [
    'with every field that a device covers',
    {
      fields: [
        json,
        ['content-encoding', 'gzip'],
        ['content-digest', digest],
        key,
        ['if-none-match', '"a1", "a2"'],
        ['step-up', `challenge="x", json=:${encodeBase64(encodeUtf8('{}'))}:, sig=:QQ==:`],
      ],
      caller: { acr: 'soter' },
    },
  ],
  ['with fields that are not covered', { after: added('accept', 'application/json') }],
  [
    'with an additional signature of another key',
    {
      after: withFields(([name, value]) => {
        if (name === 'signature-input') return [[name, `${value}, other=("@path");created=1;tag="other"`]]
        return [[name, name === 'signature' ? `${value}, other=:AAAA:` : value]]
      }),
    },
  ],
  ['that was on its way for some time', { deviceAge: 60, gatewayAge: 20 }],
]

type Refused = readonly [title: string, code: ProtocolCode, parts: GatewayParts]

const messages: readonly Refused[] = [
  ['with another body', 'digest_mismatch', { after: (r) => ({ ...r, content: encodeUtf8('{"n":2}') }) }],
  ['whose body is gone', 'digest_mismatch', { after: (r) => ({ ...r, content: new Uint8Array(0) }) }],
  ['with a body and no digest', 'components_incomplete', { fields: [json, key] }],
  ['with a body and no content type', 'components_incomplete', { fields: [['content-digest', digest], key] }],
  [
    'with a digest of another algorithm',
    'digest_mismatch',
    { fields: [json, ['content-digest', digest.replace('256', '512')], key] },
  ],
  [
    'with a second digest',
    'digest_mismatch',
    { fields: [json, ['content-digest', `${digest}, sha-512=:AAAA:`], key] },
  ],
  ['with another path', 'signature_invalid', { after: (r) => ({ ...r, path: '/orders/8?full=yes' }) }],
  ['with another query', 'signature_invalid', { after: (r) => ({ ...r, path: '/orders/7?full=no' }) }],
  ['without its query', 'signature_invalid', { after: (r) => ({ ...r, path: '/orders/7' }) }],
  ['with another method', 'signature_invalid', { after: (r) => ({ ...r, method: 'PUT' }) }],
  ['for another authority, and Host says it', 'signature_invalid', { authority: 'other.example' }],
  ['with a field changed', 'signature_invalid', { after: replaced('idempotency-key', '"order-2"') }],
  ['with a covered field gone', 'components_incomplete', { after: removed('idempotency-key') }],
  ['with a field more', 'components_incomplete', { after: added('if-none-match', '"a"') }],
  ['with a covered field twice', 'payload_invalid', { after: twice('authorization') }],
  ['with another content type besides', 'payload_invalid', { after: twice('content-type', 'text/plain') }],
]

const paths: readonly Refused[] = (
  [
    ['a dot segment', '/orders/../7'],
    ['an encoded dot segment', '/orders/%2E%2E/7'],
    ['a dot at the end', '/orders/.'],
    ['an empty segment', '/orders//7'],
    ['an encoded letter', '/%6Frders'],
    ['lower-case encoding', '/%e5%8d%88'],
    ['an encoded slash', '/orders%2F7'],
    ['an encoded backslash', '/orders%5C7'],
    ['a semicolon', '/orders;v=1'],
    ['an encoded percent sign', '/orders%257'],
    ['a control character', '/orders%00'],
    ['what is no UTF-8', '/orders/%FF'],
    ['an empty query', '/orders?'],
    ['a lower-case query', '/orders?q=%e5'],
  ] as const
).map(([what, target]) => [`whose path has ${what}`, 'payload_invalid', { target }])

function signatures({ keys, now, nonce }: GatewayWorld): readonly Refused[] {
  const short = text(encodeBase64Url(nonce('short').slice(0, 15)))
  const other = componentItem('accept')
  const of = (who: 'device' | 'gateway', edit: GatewayParts['editDevice'] & object): GatewayParts =>
    who === 'device' ? { editDevice: edit } : { editGateway: edit }
  const both = (['device', 'gateway'] as const).flatMap((who): readonly Refused[] => {
    const its = `whose signature of the ${who}`
    return [
      ...['@method', '@authority', '@path', '@query', 'content-type', 'content-digest'].map(
        (name): Refused => [`${its} leaves out ${name}`, 'components_incomplete', of(who, without(name))],
      ),
      [`${its} leaves out authorization`, 'components_incomplete', of(who, without('authorization'))],
      [`${its} leaves out idempotency-key`, 'components_incomplete', of(who, without('idempotency-key'))],
      [`${its} has another order`, 'components_incomplete', of(who, reversed)],
      [`${its} names an algorithm`, 'alg_not_allowed', of(who, parameter('alg', text('ed25519')))],
      [`${its} has an end`, 'signature_malformed', of(who, parameter('expires', seconds(now + 900)))],
      [`${its} has no nonce`, 'signature_malformed', of(who, parameter('nonce', undefined))],
      [`${its} has a short nonce`, 'signature_malformed', of(who, parameter('nonce', short))],
      [`${its} has no time`, 'signature_malformed', of(who, parameter('created', undefined))],
      [`${its} has its time as a text`, 'signature_malformed', of(who, parameter('created', text(`${now}`)))],
      [`${its} has no tag`, 'tag_invalid', of(who, parameter('tag', undefined))],
      [`${its} has another tag`, 'tag_invalid', of(who, parameter('tag', text('miniseal-push')))],
    ]
  })
  return [
    ...both,
    ['whose device signs for the gateway too', 'signature_malformed', { after: asGateway }],
    [
      'that covers a field more',
      'components_incomplete',
      { fields: [json, ['content-digest', digest], ['accept', '*/*'], key], editGateway: plus(other) },
    ],
    ['that does not cover the caller', 'components_incomplete', { editGateway: without('miniseal-caller') }],
    [
      'that does not cover the device key',
      'components_incomplete',
      { editGateway: without('miniseal-device-key') },
    ],
    ['with another label of the device', 'signature_missing', { deviceLabel: 'sig1' }],
    ['with another label of the gateway', 'signature_missing', { gatewayLabel: 'proxy' }],
    ['without the signature of the gateway', 'signature_missing', { after: only('sig') }],
    ['without the signature of the device', 'signature_missing', { after: only('gateway') }],
    ['without any signature', 'signature_missing', { after: removed('signature') }],
    ['that a device signed too long ago', 'window_invalid', { deviceAge: 300 }],
    ['that a device signed in the future', 'window_invalid', { deviceAge: -300 }],
    ['that the gateway sent too long ago', 'window_invalid', { gatewayAge: 300 }],
    ['that the gateway sent in the future', 'window_invalid', { gatewayAge: -300 }],
    ['whose gateway has a key that is not published', 'key_unknown', { message: keys.stranger }],
    [
      'whose gateway names a published key and has another',
      'signature_invalid',
      { message: { ...keys.stranger, keyid: keys.message.keyid } },
    ],
    ['whose gateway signs with a token key', 'key_unknown', { message: keys.token }],
    ['whose gateway signs with a key of no purpose', 'key_unknown', { message: keys.unmarked }],
    [
      'with another device key',
      'key_unknown',
      { after: replaced('miniseal-device-key', encodeBase64Url(keys.stranger.publicKey)) },
    ],
    [
      'whose device names a key and has another',
      'key_unknown',
      { device: { ...keys.stranger, keyid: keys.device.keyid } },
    ],
  ]
}

/** The device's signature under both labels. */
const asGateway = withFields(([name, value]) => {
  if (name !== 'signature-input' && name !== 'signature') return [[name, value]]
  const [sig = ''] = value.split(', gateway=')
  return [[name, `${sig}, ${sig.replace(/^sig=/, 'gateway=')}`]]
})

function tokens({ keys, now }: GatewayWorld): readonly Refused[] {
  return [
    ['without a token', 'token_missing', { hasToken: false }],
    ['with a bearer token', 'token_invalid', { scheme: 'Bearer' }],
    ['whose token has no algorithm', 'token_invalid', { header: { alg: 'none' } }],
    ['whose token is of another type', 'token_invalid', { header: { typ: 'JWT' } }],
    ['whose token is of another issuer', 'token_invalid', { claims: { iss: 'https://other.example' } }],
    ['whose token is for another audience', 'token_invalid', { claims: { aud: 'https://other.example' } }],
    ['whose token is over', 'token_expired', { claims: { exp: now - 60 } }],
    [
      'whose token is of another device',
      'token_key_mismatch',
      { claims: { cnf: { jkt: keys.stranger.keyid } } },
    ],
    ['whose token is signed by a message key', 'token_invalid', { tokenSigner: keys.message }],
    ['whose token is signed by a key of no purpose', 'token_invalid', { tokenSigner: keys.unmarked }],
    ['whose token is signed by an unknown key', 'token_invalid', { tokenSigner: keys.stranger }],
    [
      'whose token names a key and is by another',
      'token_invalid',
      { tokenSigner: { ...keys.stranger, keyid: keys.token.keyid } },
    ],
    ['whose caller is another user', 'token_invalid', { caller: { user: 'u_bob' } }],
    ['whose caller is another device', 'token_invalid', { caller: { device: keys.stranger.keyid } }],
    ['whose caller is another session', 'token_invalid', { caller: { session: `${session}A` } }],
    ['whose caller is another app', 'token_invalid', { caller: { app: 'wx9999' } }],
    ['whose caller has another confirmation', 'signature_malformed', { caller: { acr: 'password' } }],
    ['whose caller has a member more', 'signature_malformed', { caller: { admin: 'yes' } }],
    [
      'whose caller was changed',
      'signature_invalid',
      {
        after: withFields(([name, value]) => [
          [name, name === 'miniseal-caller' ? value.replace('session"', 'soter"') : value],
        ]),
      },
    ],
  ]
}

/** Every case, made for this world: the accepted ones first. */
export function gatewayCases(sandboxState: GatewayWorld): readonly GatewayCase[] {
  const good = accepted.map(([title, parts]) => [title, undefined, parts] as const)
  const bad = [...messages, ...paths, ...signatures(sandboxState), ...tokens(sandboxState)]
  return [...good, ...bad].map(([title, code, parts]) => ({
    title,
    code,
    request: gatewayRequest(sandboxState, parts),
  }))
}

/** What the service of these cases publishes. Each document has keys of the other purpose, too, and one of none. */
export function gatewayKeySets({ keys }: Pick<GatewayWorld, 'keys'>) {
  const jwk = ({ keyid, publicKey }: Signer, use?: 'token' | 'message') => ({
    ...{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: keyid, x: encodeBase64Url(publicKey) },
    ...(use === undefined ? {} : { miniseal_use: use }),
  })
  const all = [jwk(keys.token, 'token'), jwk(keys.message, 'message'), jwk(keys.unmarked)]
  return { token_keys: { keys: all }, message_keys: { keys: all } }
}

const sandboxState: GatewayWorld = {
  origin: 'https://pay.example.com',
  now,
  keys: {
    device,
    stranger,
    message: service,
    token: signerFrom(fixed('token key')),
    unmarked: signerFrom(fixed('key without a purpose')),
  },
  nonce: (name) => fixed(name, 16),
}

export function gatewayVectors() {
  const { token_keys, message_keys } = gatewayKeySets(sandboxState)
  return {
    origin: sandboxState.origin,
    now,
    token_keys,
    message_keys,
    caller: { user, device: device.keyid, session, app },
    requests: gatewayCases(sandboxState).map(({ title, code, request }) => {
      const { method, path, fields, content } = jsonRequest(request)
      const host = ['host', request.authority] as const
      return { title, code: code ?? null, method, path, fields: [host, ...fields], content }
    }),
  }
}
