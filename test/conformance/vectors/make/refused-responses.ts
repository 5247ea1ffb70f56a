/** Responses that must be refused, each for one reason only, and responses that must be accepted. */
import type { RequestMessage, ResponseMessage } from '../../../../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse } from '../../../../crypto/frames/binary-http.ts'
import { contentDigest } from '../../../../crypto/http-signatures/content-digest.ts'
import { signRequest } from '../../../../crypto/http-signatures/signed-request.ts'
import { signResponse } from '../../../../crypto/http-signatures/signed-response.ts'
import { encodeBase64, encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { withScalarRaised } from '../../../unit/crypto/crafted-signatures.ts'
import {
  answered,
  answers,
  device,
  fixed,
  flipped,
  nextService,
  now,
  receipt,
  service,
  signed,
  stranger,
  unsigned,
} from '../../../unit/crypto/fixed-inputs.ts'
import type { Handmade } from '../../../unit/crypto/handmade-signatures.ts'
import {
  changed,
  partsOf,
  signedByHand,
  withField,
  without,
} from '../../../unit/crypto/handmade-signatures.ts'

const request = signed('transfer')
const read = signed('read')
const answer = answered('created', request)
const bare = without(answer, 'signature', 'signature-input')
const { components, params } = partsOf(answer)

/** The answer with a signature that is right but for `made`. */
function remade(made: Partial<Handmade>, message: ResponseMessage = bare): ResponseMessage {
  return signedByHand(message, { components, params, secretKey: service.secretKey, ...made }, request)
}

const created = `;created=${now + 1}`
const keyid = `;keyid="${service.keyid}"`
const tag = ';tag="miniseal-response"'
const withParams = (other: string): ResponseMessage => remade({ params: other })
const asBytes = (bytes: Uint8Array): string => `sig=:${encodeBase64(bytes)}:`

type Titled = readonly (readonly [title: string, message: ResponseMessage, request?: RequestMessage])[]

/** `request` is the signed request that the client sent; `code` is null where the response must be accepted. */
function judged(code: string | null, cases: Titled) {
  return cases.map(([title, message, to = request]) => {
    return { title, code, encoded: encodeHex(encodeResponse(message)), request: encodeHex(encodeRequest(to)) }
  })
}

const missing = judged('signature_missing', [
  ['without any signature', bare],
  ['without signature', without(answer, 'signature')],
  ['without signature-input', without(answer, 'signature-input')],
  ['signed under another label', remade({ label: 'other' })],
  [
    'whose signature stands under another label',
    changed(answer, 'signature', (v) => v.replace('sig', 'gis')),
  ],
])

const malformed = judged('signature_malformed', [
  ['whose signature-input is no dictionary', remade({ input: 'sig=(' })],
  ['whose signature is no dictionary', remade({ signature: () => 'sig=:AA:' })],
  ['whose sig is an item', remade({ input: `sig="@status"${params}` })],
  ['whose signature is a string', remade({ signature: (s) => `sig="${encodeBase64(s)}"` })],
  ['with a signature of 63 bytes', remade({ signature: (s) => asBytes(s.slice(0, 63)) })],
  ['whose signature has a parameter', remade({ signature: (s) => `${asBytes(s)};x` })],
  ['with the parameters in another order', withParams(`${keyid}${created}${tag}`)],
  ['without created', withParams(`${keyid}${tag}`)],
  ['without keyid', withParams(`${created}${tag}`)],
  ['with created as a string', withParams(`;created="${now}"${keyid}${tag}`)],
  ['with keyid as a token', withParams(`${created};keyid=service${tag}`)],
  ['with a nonce', withParams(`${created};nonce="AAAAAAAAAAAAAAAAAAAAAA"${keyid}${tag}`)],
  ['with expires instead of created', withParams(`;expires=${now + 60}${keyid}${tag}`)],
  [
    'with two signatures of the tag',
    changed(answer, 'signature-input', (v) => `${v}, b=();tag="miniseal-response"`),
  ],
])

const tags = judged('tag_invalid', [
  ['without tag', withParams(`${created}${keyid}`)],
  ['with the tag as a token', withParams(`${created}${keyid};tag=miniseal-response`)],
  ['with the tag of a request', withParams(`${created}${keyid};tag="miniseal"`)],
  ['with the tag of the gateway', withParams(`${created}${keyid};tag="miniseal-gateway"`)],
  ['with an empty tag', withParams(`${created}${keyid};tag=""`)],
])

const covering = (other: readonly string[]): ResponseMessage => remade({ components: other })

const algorithms = judged('alg_not_allowed', [
  ['with alg', withParams(`${created}${keyid};alg="ed25519"${tag}`)],
])

const coverage = judged('components_incomplete', [
  ...components.map(
    (name) => [`not covering ${name}`, covering(components.filter((c) => c !== name))] as const,
  ),
  ['covering nothing', covering([])],
  ['with components in reverse', covering([...components].reverse())],
  [
    'with the first components swapped',
    covering([...components.slice(0, 2).reverse(), ...components.slice(2)]),
  ],
  ['covering a component twice', covering([...components, '"@status"'])],
  ['covering one field more', covering([...components, '"location"'])],
  ['covering a field that is absent', covering([...components, '"content-encoding"'])],
  ['covering the request as its own message', covering(components.map((c) => c.replace(';req', '')))],
  [
    'with component parameters in another order',
    covering(components.map((c) => c.replace(';req;key="sig"', ';key="sig";req'))),
  ],
  ['that is bound to no request', answered('created', undefined)],
  ['with a receipt added', withField(answered('empty', request), receipt[0], receipt[1])],
  ['with the mark of a problem added', withField(answer, 'miniseal-problem', 'session_ended')],
  ['of a problem without its mark', without(answered('problem', read), 'miniseal-problem'), read],
  ['with content-encoding added', withField(answer, 'content-encoding', 'gzip')],
  [
    'with content and no digest',
    remade(
      { components: components.filter((c) => c !== '"content-digest"') },
      without(bare, 'content-digest'),
    ),
  ],
  ['with content added', { ...answered('empty', request), content: encodeUtf8('{}') }],
  ['to a request without content', answered('created', read)],
])

const other = encodeUtf8('{"id":"2","status":"done"}')
const digest = contentDigest(primitives, answers.created.content)
const digested = (value: string): ResponseMessage => remade({}, withField(bare, 'content-digest', value))

const digests = judged('digest_mismatch', [
  ['whose content was changed', { ...answer, content: other }],
  ['whose content was taken away', { ...answer, content: new Uint8Array(0) }],
  ['with the digest of other content', digested(contentDigest(primitives, other))],
  ['with a sha-512 digest only', digested(`sha-512=:${encodeBase64(new Uint8Array(64))}:`)],
  ['with a second digest', digested(`${digest}, md5=:AAAAAAAAAAAAAAAAAAAAAA==:`)],
  ['with a digest that is no dictionary', digested('sha-256=:AA:')],
])

const keys = judged('key_unknown', [
  ['by a key that is not published', signResponse(primitives, answers.created, request, stranger, now)],
  ['by the device itself', signResponse(primitives, answers.created, request, device, now)],
  ['with an empty keyid', withParams(`${created};keyid=""${tag}`)],
])

const altered = (change: (signature: Uint8Array) => Uint8Array): ResponseMessage =>
  remade({ signature: (s) => asBytes(change(s)) })

/** The answer to the transfer, given for another request of the same form. */
function answerTo(
  sent: Partial<RequestMessage>,
  created = now,
  nonce = fixed('transfer nonce', 16),
): RequestMessage {
  return signRequest(primitives, { ...unsigned.transfer, ...sent }, device, created, nonce)
}

const signatures = judged('signature_invalid', [
  ['with another status', { ...answer, status: 200 }],
  ['with another content-type', withField(answer, 'content-type', 'text/html')],
  ['with another receipt', withField(answer, 'miniseal-receipt', 'AAAAAAAA')],
  ['with another problem', withField(answered('problem', read), 'miniseal-problem', 'replayed'), read],
  ['with another created', changed(answer, 'signature-input', (v) => v.replace(`${now + 1}`, `${now + 2}`))],
  [
    'with the keyid of the other key',
    changed(answer, 'signature-input', (v) => v.replace(service.keyid, nextService.keyid)),
  ],
  ['by the device under the keyid of the service', remade({ secretKey: device.secretKey })],
  ['by the other published key', remade({ secretKey: nextService.secretKey })],
  ['with S raised by the group order', altered((s) => withScalarRaised(s, 1n))],
  ['with a bit of R flipped', altered((s) => flipped(s, 0))],
  ['with a bit of S flipped', altered((s) => flipped(s, 32))],
  ['with a signature of zeros', altered(() => new Uint8Array(64))],
  ['to the same request with another nonce', answer, answerTo({}, now, fixed('another nonce', 16))],
  ['to the same request a second later', answer, answerTo({}, now + 1)],
  ['to a request with another method', answer, answerTo({ method: 'PUT' })],
  ['to a request for another authority', answer, answerTo({ authority: 'evil.example.com' })],
  ['to a request for another path', answer, answerTo({ path: '/wallet' })],
  ['to a request with a query', answer, answerTo({ path: '/wallet/transfers?x' })],
  ['to a request with other content', answer, answerTo({ content: other })],
  [
    'to a request with another signature',
    answer,
    changed(request, 'signature', (v) => v.replace(/^sig=:..../, 'sig=:AAAA')),
  ],
])

export const refusedResponses = [
  ...missing,
  ...malformed,
  ...tags,
  ...algorithms,
  ...coverage,
  ...digests,
  ...keys,
  ...signatures,
]

/** Answers that look unusual and are right. */
export const acceptedResponses = judged(null, [
  ['with content', answer],
  ['without content', answered('empty', request)],
  ['that is a refusal', answered('problem', read), read],
  ['by the other published key', signResponse(primitives, answers.created, request, nextService, now)],
  ['with another signature beside it', changed(answer, 'signature-input', (v) => `${v}, old=("date")`)],
  ['with a field added that is not covered', withField(answer, 'date', 'Mon, 24 Nov 2025 16:00:00 GMT')],
])
