/** The example of `docs/reference/protocol.md`, from the values of `protocol-values.ts`. `npm run docs` writes it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeVarint } from '../../../crypto/frames/varint.ts'
import { decodeUtf8, encodeHex } from '../../../crypto/text.ts'
import { logVectors } from '../../conformance/vectors/make/log.ts'
import type { FixedSigner } from '../../unit/crypto/fixed-inputs.ts'
import type { Signed } from './protocol-values.ts'
import { frames, handshake, keys, messages, nonces, responseKey, token } from './protocol-values.ts'

export const page = fileURLToPath(new URL('../../../docs/reference/protocol.md', import.meta.url))
const begin = '<!-- example: written by `npm run docs` -->'
const end = '<!-- end of the example -->'

/** A value: short ones are printed beside their name, long ones below it. */
type Row = readonly [name: string, value: Uint8Array | string]

const inLine = 64

function rows(...all: readonly Row[]): string {
  const width = Math.max(...all.map(([name]) => name.length)) + 2
  const lines = all.flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : encodeHex(value)
    if (text.length <= inLine) return [`${name.padEnd(width)}${text}`]
    return [name, ...(text.match(/.{1,96}/g) ?? []).map((part) => `  ${part}`)]
  })
  return block(lines.join('\n'))
}

function block(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`
}

const varint = (value: number): string => encodeHex(encodeVarint(value))

/** A part with its length in hex and its meaning. */
function vec(text: string, says: string): string {
  return `${varint(new TextEncoder().encode(text).length).padEnd(6)}${says}  ${text}`
}

function fieldLines(fields: readonly Field[]): string[] {
  const size = (text: string): number => encodeVarint(text.length).length + text.length
  const total = fields.reduce((sum, [name, value]) => sum + size(name) + size(value), 0)
  return [
    `${varint(total).padEnd(6)}the fields`,
    ...fields.flatMap(([name, value]) => [`  ${vec(name, 'name')}`, `  ${vec(value, 'value')}`]),
  ]
}

/** A message in Binary HTTP, part by part: each length in hex, and what follows as text. */
function partsOf(message: RequestMessage | ResponseMessage, padding: number): string {
  const head =
    'method' in message
      ? [
          '00    a request',
          vec(message.method, 'method'),
          vec(message.scheme, 'scheme'),
          vec(message.authority, 'authority'),
          vec(message.path, 'path'),
        ]
      : ['01    a response', `${varint(message.status).padEnd(6)}status ${message.status}`]
  return block(
    [
      ...head,
      ...fieldLines(message.fields),
      vec(decodeUtf8(message.content), 'content'),
      '00    no trailers',
      `      ${padding} bytes 00`,
    ].join('\n'),
  )
}

function messageText(
  title: string,
  { message, base, signature, encoded, padded }: Signed<RequestMessage | ResponseMessage>,
): string {
  const padding = padded.length - encoded.length
  return `Its signature base; the last line has no line feed:

${block(base)}
${rows(['signature', signature])}
In Binary HTTP, ${encoded.length} bytes, padded to ${padded.length}: each length in hex, followed by its value as text.

${partsOf(message, padding)}
${rows([title, padded])}`
}

const signerRows = (name: string, { seed, publicKey, keyid }: FixedSigner): readonly Row[] => [
  [`${name}, seed`, seed],
  ['  public key', publicKey],
  ['  thumbprint', keyid],
]

const example = (): string => `### 13.1 Keys

${rows(
  ['S', keys.agreement.secretKey],
  ['S_pub', keys.agreement.publicKey],
  ...signerRows('service signing key', keys.service),
  ...signerRows('device key', keys.device),
  ['token key, seed', keys.token.seed],
  ['  public key', keys.token.publicKey],
)}
### 13.2 The login

The device signs at 1764000000. ${messageText('plaintext', messages.login)}
It is encrypted for S with a new key of the client:

${rows(
  ['e_c', keys.client.secretKey],
  ['e_c_pub', keys.client.publicKey],
  ['kid8', handshake.kid8],
  ['es', handshake.es],
  ['salt of K1', handshake.k1Salt],
  ['K1', handshake.k1],
  ['nonce', nonces.login],
  ['request frame', handshake.requestFrame],
)}
### 13.3 The response to the login

The service signs at 1764000001. The access token in it:

${block((token.match(/.{1,98}/g) ?? []).join('\n'))}
${messageText('plaintext', messages.loggedIn)}
It is encrypted with a new key of the service. The session keys derive from the same values:

${rows(
  ['e_s', keys.server.secretKey],
  ['e_s_pub', keys.server.publicKey],
  ['ee', handshake.ee],
  ['H(request frame)', handshake.requestFrameHash],
  ['H(request plaintext)', handshake.requestPlaintextHash],
  ['th', handshake.th],
  ['K2', handshake.k2],
  ['c2s', handshake.c2s],
  ['s2c', handshake.s2c],
  ['nonce', nonces.loggedIn],
  ['response frame', handshake.responseFrame],
)}
### 13.4 A request

${messageText('plaintext', messages.transfer)}
Encrypted with c2s:

${rows(['sid', keys.sessionId], ['nonce', nonces.transfer], ['request frame', frames.transfer])}
### 13.5 Its response

${messageText('plaintext', messages.done)}
Encrypted with a key for this response only, HKDF(s2c, the request's frame nonce, "miniseal/1 response"):

${rows(['key', responseKey], ['nonce', nonces.done], ['response frame', frames.done])}
${logExample()}`

function logExample(): string {
  const log = logVectors()
  const leaf = log.leaves.find((each) => /"sub".*"x"/.test(each.leaf))
  const group = log.groups[0]
  const proof = log.proofs.at(-1)
  if (leaf === undefined || group === undefined || proof === undefined) throw new Error('no such vectors')
  return `### 13.6 A leaf, a group and a proof

From [log.json](../../test/conformance/vectors/log.json). A leaf is one line, wrapped here, without the leading spaces:

${rows(['leaf', leaf.leaf], ['leaf hash', leaf.hash])}
A group \`${group.label}\`, its salt, and its commitment in the leaf:

${rows(['group', group.group], ['salt', group.salt], ['commitment', group.commitment])}
A proof that "${proof.entry}" is the entry of its index, by the log with the seed \`${log.log.seed}\` and a witness with the seed
\`${log.witness.seed}\`, both in [log.json](../../test/conformance/vectors/log.json):

${block(proof.proof.trimEnd())}
The policy that accepts it:

${block(log.policy.trimEnd())}`
}

/** The page with the computed example. @throws Error without the markers */
export function pageWithExample(text: string): string {
  const [before, rest] = text.split(`${begin}\n`)
  const [, after] = (rest ?? '').split(end)
  if (before === undefined || after === undefined)
    throw new Error('docs/reference/protocol.md has no place for the example')
  return `${before}${begin}\n\n${example()}\n${end}${after}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, pageWithExample(readFileSync(page, 'utf8')))
}
