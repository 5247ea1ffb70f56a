/** Requests that must be refused, each for one reason only, and requests that must be accepted. */
import type { RequestMessage } from '../../../../crypto/frames/binary-http.ts'
import { contentDigest } from '../../../../crypto/http-signatures/content-digest.ts'
import { encodeBase64, encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { withScalarRaised } from '../../../unit/crypto/crafted-signatures.ts'
import {
  device,
  flipped,
  now,
  service,
  signed,
  stranger,
  unsigned,
  window,
} from '../../../unit/crypto/fixed-inputs.ts'
import type { Handmade } from '../../../unit/crypto/handmade-signatures.ts'
import {
  changed,
  encodeWithAnyPath,
  partsOf,
  signedByHand,
  withField,
  without,
} from '../../../unit/crypto/handmade-signatures.ts'

type Titled = readonly (readonly [title: string, message: RequestMessage])[]

/** `code` is null where the request must be accepted. */
function judged(code: string | null, cases: Titled) {
  return cases.map(([title, message]) => {
    return { title, code, encoded: encodeHex(encodeWithAnyPath(message)) }
  })
}

const transfer = signed('transfer')
const everything = signed('everything')
const read = signed('read')
const bare = (message: RequestMessage): RequestMessage => without(message, 'signature', 'signature-input')

/** The request with a signature that is right but for `made`. */
function remade(message: RequestMessage, made: Partial<Handmade>): RequestMessage {
  return signedByHand(bare(message), { ...partsOf(message), secretKey: device.secretKey, ...made })
}

const nonceOf = (nonce: string): string => `;nonce="${nonce}"`
const nonce = nonceOf(/nonce="([^"]*)"/.exec(partsOf(read).params)?.[1] ?? '')
const created = `;created=${now}`
const keyid = `;keyid="${device.keyid}"`
const tag = ';tag="miniseal"'
const withParams = (params: string): RequestMessage => remade(read, { params })
const asBytes = (bytes: Uint8Array): string => `sig=:${encodeBase64(bytes)}:`

const missing = judged('signature_missing', [
  ['without any signature', unsigned.read],
  ['without signature', without(read, 'signature')],
  ['without signature-input', without(read, 'signature-input')],
  ['signed under another label only', remade(read, { label: 'other' })],
  ['whose signature stands under another label', changed(read, 'signature', (v) => v.replace('sig', 'gis'))],
])

const malformed = judged('signature_malformed', [
  ['whose signature-input is no dictionary', remade(read, { input: 'sig=(' })],
  ['whose signature is no dictionary', remade(read, { signature: () => 'sig=:AA:' })],
  ['whose sig is an item', remade(read, { input: `sig="@method"${partsOf(read).params}` })],
  ['whose signature is a string', remade(read, { signature: (s) => `sig="${encodeBase64(s)}"` })],
  [
    'whose signature is a string of 64 characters',
    remade(read, { signature: () => `sig="${'A'.repeat(64)}"` }),
  ],
  ['whose signature is an inner list', remade(read, { signature: (s) => `sig=(:${encodeBase64(s)}:)` })],
  ['whose signature has a parameter', remade(read, { signature: (s) => `${asBytes(s)};x` })],
  ['with a signature of 63 bytes', remade(read, { signature: (s) => asBytes(s.slice(0, 63)) })],
  ['with a signature of 65 bytes', remade(read, { signature: (s) => asBytes(Uint8Array.of(...s, 0)) })],
  ['with two signatures of the tag', changed(read, 'signature-input', (v) => `${v}, b=();tag="miniseal"`)],
  ['with an item of the tag beside it', changed(read, 'signature-input', (v) => `b=1;tag="miniseal", ${v}`)],
  ['with two labels sig', changed(read, 'signature-input', (v) => `${v}, ${v}`)],
  ['with expires', withParams(`${created};expires=${now + 60}${nonce}${keyid}${tag}`)],
  ['without created', withParams(`${nonce}${keyid}${tag}`)],
  ['with created as a string', withParams(`;created="${now}"${nonce}${keyid}${tag}`)],
  ['with a negative created', withParams(`;created=-1${nonce}${keyid}${tag}`)],
  ['with created as a decimal', withParams(`;created=${now}.0${nonce}${keyid}${tag}`)],
  ['with created twice', withParams(`${created}${created}${nonce}${keyid}${tag}`)],
  ['without nonce', withParams(`${created}${keyid}${tag}`)],
  ['with nonce as a token', withParams(`${created};nonce=AAAAAAAAAAAAAAAAAAAAAA${keyid}${tag}`)],
  ['with a nonce of 15 bytes', withParams(`${created}${nonceOf('A'.repeat(20))}${keyid}${tag}`)],
  ['with a nonce of 17 bytes', withParams(`${created}${nonceOf('A'.repeat(23))}${keyid}${tag}`)],
  ['with a padded nonce', withParams(`${created}${nonceOf(`${'A'.repeat(22)}==`)}${keyid}${tag}`)],
  ['with trailing bits in the nonce', withParams(`${created}${nonceOf(`${'A'.repeat(21)}B`)}${keyid}${tag}`)],
  ['with a nonce in base64', withParams(`${created}${nonceOf(`${'A'.repeat(20)}+A`)}${keyid}${tag}`)],
  ['without keyid', withParams(`${created}${nonce}${tag}`)],
  ['with keyid as a token', withParams(`${created}${nonce};keyid=device${tag}`)],
])

const tags = judged(
  'tag_invalid',
  (
    [
      ['without tag', ''],
      ['with the tag of an answer', ';tag="miniseal-response"'],
      ['with the tag of the gateway', ';tag="miniseal-gateway"'],
      ['with the tag in capitals', ';tag="Miniseal"'],
      ['with the tag as a token', ';tag=miniseal'],
      ['with the tag as bytes', ';tag=:bWluaXNlYWw=:'],
    ] as const
  ).map(([title, other]) => [title, withParams(`${created}${nonce}${keyid}${other}`)]),
)

const algorithms = judged(
  'alg_not_allowed',
  ['"ed25519"', '"hmac-sha256"', 'none'].map((alg) => {
    return [`with alg=${alg}`, withParams(`${created}${nonce}${keyid};alg=${alg}${tag}`)]
  }),
)

const names = partsOf(everything).components
const covering = (components: readonly string[]): RequestMessage => remade(everything, { components })

const coverage = judged('components_incomplete', [
  ...names.map(
    (name) => [`not covering ${name}`, covering(names.filter((other) => other !== name))] as const,
  ),
  ['covering nothing', covering([])],
  ['with components in reverse', covering([...names].reverse())],
  ['with the first components swapped', covering([...names.slice(0, 2).reverse(), ...names.slice(2)])],
  ['with the last components swapped', covering([...names.slice(0, -2), ...names.slice(-2).reverse()])],
  ['covering a component twice', covering([...names, '"@method"'])],
  ['covering one component more', remade(read, { components: [...partsOf(read).components, '"@scheme"'] })],
  [
    'covering a field that is absent',
    remade(read, { components: [...partsOf(read).components, '"step-up"'] }),
  ],
  [
    'with a component parameter',
    remade(read, { components: ['"@method";req', ...partsOf(read).components.slice(1)] }),
  ],
  [
    'with the parameter bs of a component',
    remade(read, { components: [...partsOf(read).components.slice(0, -1), '"authorization";bs'] }),
  ],
  [
    'with a component as a token',
    remade(read, { components: ['method', ...partsOf(read).components.slice(1)] }),
  ],
  [
    'covering one member of a field instead of the field',
    remade(transfer, {
      components: partsOf(transfer).components.map((c) => c.replace('digest"', 'digest";key="sha-256"')),
    }),
  ],
  ['with a field added that must be covered', withField(read, 'idempotency-key', '"k"')],
  ['with content and without content-type', lacking('content-type')],
  ['with content and without content-digest', lacking('content-digest')],
])

/** The transfer, rightly signed but for a field that content needs. */
function lacking(name: string): RequestMessage {
  const components = partsOf(transfer).components.filter((component) => component !== `"${name}"`)
  return remade(without(transfer, name), { ...partsOf(transfer), components })
}

/** The transfer, rightly signed with this digest. */
const digested = (digest: string): RequestMessage => remade(withField(transfer, 'content-digest', digest), {})
const digest = contentDigest(primitives, transfer.content)
const other = encodeUtf8('{"payee":"eve","amount":1250,"currency":"CNY","note":"午饭"}')

const digests = judged('digest_mismatch', [
  ['whose content was changed', { ...transfer, content: other }],
  ['whose content was cut', { ...transfer, content: transfer.content.slice(0, -1) }],
  ['whose content was taken away', { ...transfer, content: new Uint8Array(0) }],
  ['with the digest of other content', digested(contentDigest(primitives, other))],
  ['with a sha-512 digest only', digested(`sha-512=:${encodeBase64(new Uint8Array(64))}:`)],
  ['with a second digest', digested(`${digest}, md5=:AAAAAAAAAAAAAAAAAAAAAA==:`)],
  ['with a digest that is no dictionary', digested('sha-256=:AA:')],
  ['with a digest of 31 bytes', digested(`sha-256=:${encodeBase64(new Uint8Array(31))}:`)],
])

const windows = judged('window_invalid', [
  ['from a second before the window', signed('transfer', now - window.past - 1)],
  ['from a second after the window', signed('transfer', now + window.future + 1)],
  ['from the beginning of time', signed('transfer', 0)],
  ['from the end of time', signed('transfer', 999999999999999)],
])

const altered = (change: (signature: Uint8Array) => Uint8Array): RequestMessage =>
  remade(transfer, { signature: (s) => asBytes(change(s)) })

const signatures = judged('signature_invalid', [
  ['with another method', { ...transfer, method: 'PUT' }],
  ['for another authority', { ...transfer, authority: 'evil.example.com' }],
  ['for another path', { ...transfer, path: '/wallet/transfers/' }],
  ['with a query added', { ...transfer, path: '/wallet/transfers?x' }],
  ['with another content-type', withField(transfer, 'content-type', 'text/plain')],
  ['with another token', withField(transfer, 'authorization', 'HTTPSig e30')],
  ['with another idempotency-key', withField(transfer, 'idempotency-key', '"order-9"')],
  ['with another created', changed(transfer, 'signature-input', (v) => v.replace(`${now}`, `${now + 1}`))],
  [
    'with another keyid',
    changed(transfer, 'signature-input', (v) => v.replace(device.keyid, stranger.keyid)),
  ],
  [
    'with another nonce',
    changed(transfer, 'signature-input', (v) => v.replace(/nonce="[^"]*"/, nonce.slice(1))),
  ],
  ['signed by another device', remade(transfer, { secretKey: stranger.secretKey })],
  ['signed by the service', remade(transfer, { secretKey: service.secretKey })],
  ['with S raised by the group order', altered((s) => withScalarRaised(s, 1n))],
  ['with a bit of R flipped', altered((s) => flipped(s, 0))],
  ['with a bit of S flipped', altered((s) => flipped(s, 32))],
  ['with a signature of zeros', altered(() => new Uint8Array(64))],
  ['with R of small order and S zero', altered(() => Uint8Array.of(1, ...new Uint8Array(63)))],
])

export const refusedRequests = [
  ...missing,
  ...malformed,
  ...tags,
  ...algorithms,
  ...coverage,
  ...windows,
  ...digests,
  ...signatures,
]

const foreign = `other=("date");keyid="x", `

/** Requests that look unusual and are right. */
export const acceptedRequests = judged(null, [
  ['from the first second of the window', signed('transfer', now - window.past)],
  ['from the last second of the window', signed('transfer', now + window.future)],
  ['with the parameters in another order', withParams(`${tag}${keyid}${nonce}${created}`)],
  ['with spaces between components', changed(read, 'signature-input', (v) => v.replace(' ', '  '))],
  ['with another signature before it', changed(read, 'signature-input', (v) => foreign + v)],
  ['with fields that are not covered', withField(read, 'accept-language', 'zh-CN')],
  [
    'without content, with the digest of nothing',
    remade(withField(read, 'content-digest', contentDigest(primitives, new Uint8Array(0))), {
      components: [...partsOf(read).components.slice(0, 4), '"content-digest"', '"authorization"'],
    }),
  ],
  ['with every field that is covered', everything],
])

/** Signed as they should be, and with a path that some stack reads in another way. */
export const requestsOfOtherPaths = judged(
  'payload_invalid',
  (
    [
      ['for a path with an encoded letter', '/wallet/%74ransfers'],
      ['for a path with an empty segment', '/wallet//transfers'],
      ['for a path with a parameter', '/wallet/transfers;x=1'],
      ['for a path with a dot segment', '/wallet/x/../transfers'],
      ['for a path with an encoded dot segment', '/wallet/%2E/transfers'],
      ['for a path with an encoded slash', '/wallet/x%2F../transfers'],
      ['for a path with an escape in lower case', '/wallet/%c3%a9'],
      ['for a path that is not UTF-8', '/wallet/%C0%AE'],
    ] as const
  ).map(([title, path]) => [
    title,
    signedByHand({ ...bare(read), path }, { ...partsOf(read), secretKey: device.secretKey }),
  ]),
)
