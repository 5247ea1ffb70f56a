/**
 * Takes functions of noble out of the bundle that the client never calls, though something in noble names them. What
 * is left of each throws, and every caller in `crypto/curves-noble.ts` takes an exception for a refusal.
 */

/** The reason, for each. The names are those in esbuild's output. */
export const unreachedFunctions: readonly string[] = [
  // Square roots in any field: Ed25519 brings its own (`uvRatio`).
  'FpSqrt',
  // Another verification than ours, see `crypto/curves-noble.ts`.
  'verify2',
  // Needs random bytes of the platform; the bundle has none to offer, so noble never blinds there.
  'mulCTBlinded',
  // Shown to developers, never to people.
  'toString',
  'toHex',
  // Checks and conversions of noble's own interface.
  'assertValidity',
  'clearCofactor',
  'isSmallOrder',
  'isValidPublicKey',
  'isValidSecretKey',
  'toMontgomery',
  'toMontgomerySecret',
  'hasWindowSize',
  'invertBatch',
]

/**
 * esbuild's output, not minified, with nothing left in the bodies of `names`.
 * @throws Error when there is no function of such a name.
 */
export function withoutBodies(code: string, names: readonly string[]): string {
  return names.reduce(withoutBody, code)
}

function withoutBody(code: string, name: string): string {
  const definition = new RegExp(`^( *)((?:function )?${name}\\(.*\\) \\{)\\n[\\s\\S]*?^\\1\\}`, 'gm')
  const left = code.replace(definition, '$1$2 throw new Error(); }')
  if (left === code) throw new Error(`there is no function ${name} to leave out`)
  return left
}
