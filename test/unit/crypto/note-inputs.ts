/** Keys of logs and cosigners that are the same in every run. */
import type { NoteSigner, VerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { fixed } from './fixed-inputs.ts'

export interface NamedSigner extends NoteSigner {
  readonly seed: Uint8Array
}

export function noteSigner(name: string, seedName = `note key ${name}`): NamedSigner {
  const seed = fixed(seedName)
  return { name, seed, ...primitives.ed25519KeyPair(seed) }
}

export const origin = 'pay.example.com/audit/2026'
export const logSigner: NamedSigner = noteSigner(origin)
export const logKey: VerifierKey = { kind: 'ed25519', name: origin, publicKey: logSigner.publicKey }

/** The `name`d witness: who cosigns, and the key that others know. */
export function witness(name: string): { readonly signer: NamedSigner; readonly key: VerifierKey } {
  const signer = noteSigner(`${name}.example/witness`)
  return { signer, key: { kind: 'cosignature', name: signer.name, publicKey: signer.publicKey } }
}
