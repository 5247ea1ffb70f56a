/**
 * A client whose every part a test can change: it builds frames from the pure functions of `crypto/`, sends them with
 * `fetch` and verifies each response as strictly as the real client does.
 */
import { randomBytes } from 'node:crypto'
import type { Field, RequestMessage, ResponseMessage } from '../../crypto/frames/binary-http.ts'
import { encodeRequest, findField, parseResponse } from '../../crypto/frames/binary-http.ts'
import type { ChannelConfiguration } from '../../crypto/frames/channel-configuration.ts'
import { authorityOf, verifyConfiguration } from '../../crypto/frames/channel-configuration.ts'
import { parseFrame } from '../../crypto/frames/frame.ts'
import type { HandshakeState } from '../../crypto/frames/handshake.ts'
import {
  deriveSession,
  handshakeHash,
  openHandshakeResponse,
  sealHandshakeRequest,
} from '../../crypto/frames/handshake.ts'
import { padMessage } from '../../crypto/frames/padding.ts'
import type { SessionKeys } from '../../crypto/frames/session-keys.ts'
import { openResponse, sealRequest } from '../../crypto/frames/session-keys.ts'
import type { MessageSigner } from '../../crypto/http-signatures/signed-request.ts'
import { signRequest } from '../../crypto/http-signatures/signed-request.ts'
import { verifyResponse } from '../../crypto/http-signatures/signed-response.ts'
import { keyThumbprint } from '../../crypto/primitives/thumbprint.ts'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from '../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'
import type { TestService } from './service.ts'

export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

/** The path of the outcome of an idempotency key (protocol, section 8). */
export const outcomePath = (key: string): string => `/outcomes/${encodeBase64Url(encodeUtf8(key))}`

/** A response, encrypted or in the clear. */
export interface ReceivedReply {
  readonly kind: 'sealed' | 'clear'
  /** Outer status. */
  readonly outer: number
  /** Inner status of an encrypted response, outer status of a response in the clear. */
  readonly status: number
  readonly fields: readonly Field[]
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
  readonly json: any
}

export interface Prepared {
  readonly frame: Uint8Array
  /** Decrypts and verifies the frame of the response. */
  readonly open: (bytes: Uint8Array) => ResponseMessage
}

export interface RequestParts {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly body?: unknown
  readonly key?: string | undefined
  readonly token?: string | undefined
  readonly created?: number
  readonly nonce?: Uint8Array
  readonly signer?: MessageSigner
  /** Changes the message before it is signed. */
  readonly before?: (message: RequestMessage) => RequestMessage
  /** Changes the message after it was signed. */
  readonly after?: (message: RequestMessage) => RequestMessage
  /** Changes the padded plaintext before encryption. */
  readonly plaintext?: (bytes: Uint8Array) => Uint8Array
}

/** A transfer of the demo wallet to bob, in fen. */
export const transferOf = (amount: number, parts: RequestParts = {}): RequestParts => ({
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount, currency: 'CNY' },
  ...parts,
})

/** Adds fields to a request before it is signed. */
export const withFields = (...fields: readonly Field[]): Pick<RequestParts, 'before'> => ({
  before: (message) => ({ ...message, fields: [...message.fields, ...fields] }),
})

export function newDevice(): {
  readonly signer: MessageSigner
  readonly publicKey: Uint8Array
  readonly x: string
} {
  const { publicKey, secretKey } = primitives.ed25519KeyPair(random(32))
  return {
    signer: { keyid: keyThumbprint(primitives, publicKey), secretKey },
    publicKey,
    x: encodeBase64Url(publicKey),
  }
}

export async function fetchConfiguration(service: TestService): Promise<ChannelConfiguration> {
  const response = await fetch(`${service.url ?? service.origin}/.well-known/miniseal`)
  const roots = service.roots.map((root) => decodeBase64Url(root))
  return verifyConfiguration(primitives, await response.text(), roots, service.now())
}

export async function post(
  service: TestService,
  body: Uint8Array,
  type = 'application/vnd.miniseal',
): Promise<Response> {
  return await fetch(`${service.url ?? service.origin}/seal`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: new Uint8Array(body),
  })
}

/** Sends a prepared frame and reads the response. */
export async function send(service: TestService, prepared: Prepared): Promise<ReceivedReply> {
  return await hear(await post(service, prepared.frame), prepared.open)
}

export async function hear(response: Response, open: Prepared['open']): Promise<ReceivedReply> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (response.headers.get('content-type') !== 'application/vnd.miniseal') {
    const json: unknown = JSON.parse(decodeUtf8(bytes))
    const fields = [...response.headers] as [string, string][]
    return { kind: 'clear', outer: response.status, status: response.status, fields, json }
  }
  const { status, fields, content } = open(bytes)
  const isJson = findField(fields, 'content-type')?.includes('json') ?? false
  const json: unknown = isJson ? JSON.parse(decodeUtf8(content)) : undefined
  return { kind: 'sealed', outer: response.status, status, fields, json }
}

function message(configuration: ChannelConfiguration, parts: RequestParts): RequestMessage {
  const { method = 'GET', path = '/wallet', body, key, token } = parts
  const fields: Field[] = []
  if (body !== undefined) fields.push(['content-type', 'application/json'])
  if (token !== undefined) fields.push(['authorization', `HTTPSig ${token}`])
  if (key !== undefined) fields.push(['idempotency-key', `"${key}"`])
  const content = body === undefined ? new Uint8Array(0) : encodeUtf8(JSON.stringify(body))
  return {
    method,
    scheme: 'https',
    authority: parts.authority ?? authorityOf(configuration.iss),
    path,
    fields,
    content,
  }
}

function signed(
  parts: RequestParts,
  plain: RequestMessage,
  signer: MessageSigner,
  now: number,
): RequestMessage {
  const { before = (m) => m, after = (m) => m } = parts
  return after(
    signRequest(
      primitives,
      before(plain),
      parts.signer ?? signer,
      parts.created ?? now,
      parts.nonce ?? random(16),
    ),
  )
}

/** An open session. */
export class RawSession {
  readonly service: TestService
  readonly configuration: ChannelConfiguration
  readonly device: ReturnType<typeof newDevice>
  readonly keys: SessionKeys
  readonly id: Uint8Array
  readonly user: string
  token: string

  constructor(
    parts: Pick<RawSession, 'service' | 'configuration' | 'device' | 'keys' | 'id' | 'user' | 'token'>,
  ) {
    this.service = parts.service
    this.configuration = parts.configuration
    this.device = parts.device
    this.keys = parts.keys
    this.id = parts.id
    this.user = parts.user
    this.token = parts.token
  }

  prepare(parts: RequestParts = {}): Prepared {
    const method = parts.method ?? 'GET'
    const key = 'key' in parts || method === 'GET' ? parts.key : encodeBase64Url(random(12))
    const token = 'token' in parts ? parts.token : this.token
    const plain = message(this.configuration, { ...parts, key, token })
    const request = signed(parts, plain, this.device.signer, this.service.now())
    const nonce = random(24)
    const plaintext = (parts.plaintext ?? ((bytes) => bytes))(padMessage(encodeRequest(request)))
    const frame = sealRequest(primitives, this.keys, this.id, nonce, plaintext)
    const open = (bytes: Uint8Array): ResponseMessage => {
      const answer = parseFrame(bytes, this.configuration.maxFrame)
      if (answer.kind !== 'response' || !Buffer.from(answer.requestNonce).equals(nonce))
        throw new Error('not its answer')
      const response = parseResponse(openResponse(primitives, this.keys, answer))
      if (parts.after === undefined && parts.plaintext === undefined) {
        verifyResponse(primitives, response, request, this.configuration.signing)
      }
      return response
    }
    return { frame, open }
  }

  /** @param service another process of the same service, instead of the one that logged in */
  send(parts: RequestParts = {}, service = this.service): Promise<ReceivedReply> {
    return send(service, this.prepare(parts))
  }
}

export interface LoginParts extends RequestParts {
  readonly appid?: string
  readonly code?: string
  readonly openid?: string
  readonly device?: ReturnType<typeof newDevice>
  /** Replaces the body; `handshake` defaults to that of the frame. */
  readonly loginBody?: object
  readonly configuration?: ChannelConfiguration
}

/** A login frame, with functions that open its response and its session. */
export async function prepareLogin(
  service: TestService,
  parts: LoginParts = {},
): Promise<Prepared & { session: (reply: ReceivedReply) => RawSession }> {
  const configuration = parts.configuration ?? (await fetchConfiguration(service))
  const device = parts.device ?? newDevice()
  const agreement = configuration.agreement[0]
  if (agreement === undefined) throw new Error('no agreement key')
  const secretKey = random(32)
  const ephemeral = { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
  const handshake = encodeBase64Url(handshakeHash(primitives, agreement.publicKey, ephemeral.publicKey))
  const body = parts.loginBody
    ? { handshake, ...parts.loginBody }
    : {
        appid: parts.appid ?? service.appid,
        code: parts.code ?? (await service.code(parts.openid)),
        handshake,
        device: { kty: 'OKP', crv: 'Ed25519', x: device.x },
        client: { platform: 'test', sdk: '0', base: '0' },
      }
  const plain = message(configuration, { method: 'POST', path: '/sessions', body, ...parts })
  const request = signed(parts, plain, device.signer, service.now())
  const plaintext = (parts.plaintext ?? ((bytes) => bytes))(padMessage(encodeRequest(request)))
  const sealed = sealHandshakeRequest(primitives, agreement.publicKey, ephemeral, random(24), plaintext)
  let keys: SessionKeys | undefined
  const open = (bytes: Uint8Array): ResponseMessage => {
    const answer = parseFrame(bytes, configuration.maxFrame)
    if (answer.kind !== 'handshake-response') throw new Error('not a handshake response')
    // deriveSession consumes its state, and a test may decrypt several responses to one frame.
    const state: HandshakeState = { ...sealed.state, es: sealed.state.es.slice() }
    const derived = deriveSession(primitives, state, secretKey, answer.ephemeral, answer.ephemeral)
    const response = parseResponse(openHandshakeResponse(primitives, derived.responseKey, answer))
    if (parts.after === undefined && parts.plaintext === undefined) {
      verifyResponse(primitives, response, request, configuration.signing)
    }
    keys = derived.session
    return response
  }
  const session = ({ json }: ReceivedReply): RawSession => {
    if (keys === undefined) throw new Error('the answer was not opened')
    const id = decodeBase64Url(json.session.id)
    return new RawSession({
      service,
      configuration,
      device,
      keys,
      id,
      user: json.user,
      token: json.access_token,
    })
  }
  return { frame: sealed.frame, open, session }
}

export async function logIn(service: TestService, parts: LoginParts = {}): Promise<RawSession> {
  const prepared = await prepareLogin(service, parts)
  const reply = await send(service, prepared)
  if (reply.status !== 201) throw new Error(`the login was refused: ${JSON.stringify(reply.json)}`)
  return prepared.session(reply)
}
