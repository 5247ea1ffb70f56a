/** Signed and encrypted requests with paths that no client produces but an attacker with a session can send. */
import type { Field } from '../../crypto/frames/binary-http.ts'
import { parseResponse } from '../../crypto/frames/binary-http.ts'
import { authorityOf } from '../../crypto/frames/channel-configuration.ts'
import { parseFrame } from '../../crypto/frames/frame.ts'
import { padMessage } from '../../crypto/frames/padding.ts'
import { openResponse, sealRequest } from '../../crypto/frames/session-keys.ts'
import { contentDigest } from '../../crypto/http-signatures/content-digest.ts'
import { requiredComponents } from '../../crypto/http-signatures/signed-request.ts'
import { encodeBase64Url } from '../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../service/keys/sodium-primitives.ts'
import { encodeWithAnyPath, signedByHand } from '../unit/crypto/handmade-signatures.ts'
import type { RawSession, ReceivedReply } from './raw-client.ts'
import { random, send } from './raw-client.ts'

export interface CraftedParts {
  readonly method: string
  /** Signed and sent verbatim: any ASCII. */
  readonly path: string
  readonly fields?: readonly Field[]
  readonly content?: Uint8Array
}

/** Sends a request with a valid signature and any path. */
export async function sendCrafted(session: RawSession, parts: CraftedParts): Promise<ReceivedReply> {
  const { method, path, content = new Uint8Array(0) } = parts
  const fields: Field[] = [
    ...(parts.fields ?? []),
    ['authorization', `HTTPSig ${session.token}`],
    ['idempotency-key', `"${encodeBase64Url(random(12))}"`],
  ]
  if (content.length > 0) fields.push(['content-digest', contentDigest(primitives, content)])
  const authority = authorityOf(session.configuration.iss)
  const message = { method, scheme: 'https', authority, path, fields, content }
  const { keyid, secretKey } = session.device.signer
  const created = session.service.now()
  const request = signedByHand(message, {
    components: requiredComponents(message).map((name) => `"${name}"`),
    params: `;created=${created};nonce="${encodeBase64Url(random(16))}";keyid="${keyid}";tag="miniseal"`,
    secretKey,
  })
  const nonce = random(24)
  const frame = sealRequest(
    primitives,
    session.keys,
    session.id,
    nonce,
    padMessage(encodeWithAnyPath(request)),
  )
  return await send(session.service, {
    frame,
    open: (bytes) => {
      const answer = parseFrame(bytes, session.configuration.maxFrame)
      if (answer.kind !== 'response') throw new Error('not an answer')
      return parseResponse(openResponse(primitives, session.keys, answer))
    },
  })
}
