/** Handmade requests in the form that the gateway forwards, including ones that the service would never send. */
import type { RequestMessage } from '../../crypto/frames/binary-http.ts'
import { authorityOf } from '../../crypto/frames/channel-configuration.ts'
import type { CallerClaims } from '../../crypto/http-signatures/gateway-signature.ts'
import { signForBackend } from '../../crypto/http-signatures/gateway-signature.ts'
import type { MessageSigner } from '../../crypto/http-signatures/signed-request.ts'
import { signRequest } from '../../crypto/http-signatures/signed-request.ts'
import { encodeUtf8 } from '../../crypto/text.ts'
import type { JsonWebKeySet } from '../../packages/verify/index.ts'
import type { KeyPurpose } from '../../service/keys/publication.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'
import type { RawSession } from './raw-client.ts'
import { newDevice, random } from './raw-client.ts'
import type { TestService } from './service.ts'
import type { Arrived } from './upstream.ts'

/** A service signing key of the test's own; its public key is in the JWK Set of the verifier. */
const serviceKey = newDevice()

export const serviceKeyJwk = jwkOf(serviceKey, 'message')

/** The public half of a key as a JWK Set of the service has it. */
function jwkOf(
  { signer, x }: ReturnType<typeof newDevice>,
  purpose: KeyPurpose,
): Readonly<Record<string, string>> {
  return { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: signer.keyid, x, miniseal_use: purpose }
}

/** One of the two documents of keys, as a running service publishes it. */
export async function publishedSet(
  { url, origin }: Pick<TestService, 'url' | 'origin'>,
  name: 'jwks.json' | 'miniseal-keys.json',
): Promise<JsonWebKeySet> {
  return (await (await fetch(`${url ?? origin}/.well-known/${name}`)).json()) as JsonWebKeySet
}

export interface ForwardedParts {
  /** The `authorization` field; `undefined` for none. */
  readonly authorization?: string | undefined
  readonly device?: ReturnType<typeof newDevice>
  readonly caller?: Partial<CallerClaims>
  readonly created?: number
  readonly gatewayCreated?: number
  /** Path and query. */
  readonly path?: string
  /** The key that signs for the gateway. */
  readonly gateway?: MessageSigner
}

/** A request of `session` that passes every check except those that `parts` break. */
export function forwarded(session: RawSession, parts: ForwardedParts = {}): Arrived {
  const device = parts.device ?? session.device
  const created = parts.created ?? session.service.now()
  const authorization = 'authorization' in parts ? parts.authorization : `HTTPSig ${session.token}`
  const plain: RequestMessage = {
    method: 'POST',
    scheme: 'https',
    authority: authorityOf(session.service.origin),
    path: parts.path ?? '/orders/1?full=yes',
    fields: [
      ['content-type', 'application/json'],
      ['idempotency-key', '"made-by-hand"'],
      ...(authorization === undefined ? [] : [['authorization', authorization] as const]),
    ],
    content: encodeUtf8('{"n":1}'),
  }
  const caller = {
    user: session.user,
    device: device.signer.keyid,
    session: Buffer.from(session.id).toString('base64url'),
    app: session.service.appid,
    acr: 'session',
    ...parts.caller,
  }
  const signed = signForBackend(
    primitives,
    signRequest(primitives, plain, device.signer, created, random(16)),
    caller,
    device.publicKey,
    parts.gateway ?? serviceKey.signer,
    parts.gatewayCreated ?? created,
    random(16),
  )
  return {
    method: signed.method,
    url: signed.path,
    headers: Object.fromEntries(signed.fields),
    body: '{"n":1}',
  }
}
