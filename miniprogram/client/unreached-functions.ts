/**
 * Takes functions of noble and stablelib out of the bundle that do nothing for the client, though something names them.
 * The names of noble's are those in esbuild's output.
 */
import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'

/** Of stablelib's SHA-256: the client hashes whole messages. */
const ofHash: readonly string[] = ['saveState', 'restoreState', 'cleanSavedState']

/** Leaves them out of `@stablelib/sha256`. */
export function wholeMessagesOnly(): Plugin {
  return {
    name: 'whole-messages-only',
    setup(build) {
      build.onLoad({ filter: /[\\/]@stablelib[\\/]sha256[\\/]lib[\\/]sha256\.js$/ }, async ({ path }) => {
        const source = (await readFile(path, 'utf8')).replace(/\r\n/g, '\n')
        return { contents: withBodies(source, ofHash, 'throw new Error();'), loader: 'js' }
      })
    },
  }
}

/** Never called. What is left of each throws, and `crypto/curves-noble.ts` takes an exception for a refusal. */
export const unreachedFunctions: readonly string[] = [
  // Square roots in any field: Ed25519 brings its own (`uvRatio`).
  'FpSqrt',
  'sqrt',
  'cmov',
  // Another verification than ours, see `crypto/curves-noble.ts`.
  'verify2',
  // Needs random bytes of the platform; the bundle has none to offer, so noble never blinds there.
  'mulCTBlinded',
  // Secret multiples of other points than the base point, which has its table.
  'fixedWindowCT',
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

/** Checks of noble's own tables, constants and options. They hold whenever noble loads; its own tests see to that. */
export const passedChecks: readonly string[] = [
  ...['validateObject', 'validateField', 'validatePointCons', 'validateW', 'validateTableBytes'],
  ...['validateMSMPoints', 'createKeygen', 'aobject', 'afunction', 'abool', 'asafenumber'],
]

/** Checks that stay, without the words that they would find for what is wrong. */
export const shortChecks: readonly (readonly [string, string])[] = [
  [
    'abytes',
    'if (isBytes(value) && (length === undefined || value.length === length)) return value; throw new Error();',
  ],
  ['anumber', 'if (Number.isSafeInteger(n) && n >= 0) return n; throw new Error();'],
]

/**
 * esbuild's output, not minified, where each of `names` has `body` for its own.
 * @throws Error when there is no function of such a name.
 */
export function withBodies(code: string, names: readonly string[], body: string): string {
  return names.reduce((left, name) => {
    const definition = new RegExp(`^( *)((?:function )?${name}\\(.*\\) \\{)\\n[\\s\\S]*?^\\1\\}`, 'gm')
    const replaced = left.replace(definition, `$1$2 ${body} }`)
    if (replaced === left) throw new Error(`there is no function ${name} to leave out`)
    return replaced
  }, code)
}
