/**
 * SHA-256 and Ed25519 in the browser, with WebCrypto or the bundled implementation.
 *
 * WebCrypto is not available over plain HTTP (except on localhost), and old browsers lack Ed25519.
 */
import { tweetnaclCurves } from 'miniseal-protocol/primitives/curves-tweetnacl'
import { isStrictSignature } from 'miniseal-protocol/primitives/ed25519-encoding'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { createJsPrimitives } from 'miniseal-protocol/primitives/primitives-js'

/** The bundled, synchronous primitives. */
export const bundled: Primitives = createJsPrimitives(tweetnaclCurves)

/** `undefined` over plain HTTP. */
const subtle: SubtleCrypto | undefined = globalThis.crypto.subtle

export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  if (subtle === undefined) return bundled.sha256(bytes)
  return new Uint8Array(await subtle.digest('SHA-256', new Uint8Array(bytes)))
}

/** The implementation that verified a signature. */
export type Verifier = 'WebCrypto' | 'tweetnacl'

/** As strict as the service: canonical encodings, no points of small order. Attacker-controlled arguments. */
export async function verifyEd25519(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Promise<{ readonly isValid: boolean; readonly by: Verifier }> {
  const verdict = isStrictSignature(signature, publicKey)
    ? await verifyWithWebCrypto(signature, message, publicKey)
    : false
  if (verdict !== undefined) return { isValid: verdict, by: 'WebCrypto' }
  return { isValid: bundled.ed25519Verify(signature, message, publicKey), by: 'tweetnacl' }
}

/** `undefined` when WebCrypto lacks Ed25519. */
async function verifyWithWebCrypto(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Promise<boolean | undefined> {
  if (subtle === undefined) return undefined
  try {
    const key = await subtle.importKey('raw', new Uint8Array(publicKey), { name: 'Ed25519' }, false, [
      'verify',
    ])
    return await subtle.verify({ name: 'Ed25519' }, key, new Uint8Array(signature), new Uint8Array(message))
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotSupportedError') return undefined
    return false
  }
}
