/**
 * An esbuild plugin that lets the bundle leave out what the client does not use of tweetnacl.
 *
 * tweetnacl is one function that fills an object, so a bundler keeps all of it. Here its body becomes a module: each
 * `nacl.a.b` is a variable of its own, and only {@link exported} holds on to some of them. No function is changed, but for checks of arguments.
 */
import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'
import { withBodies } from './unreached-functions.ts'

const head = '(function(nacl) {\n'
const foot =
  "})(typeof module !== 'undefined' && module.exports ? module.exports : (self.nacl = self.nacl || {}));\n"

/** Looks for a generator of random bytes. The client never asks tweetnacl for any. */
const generator = /^\(function\(\) \{\n {2}\/\/ Initialize PRNG[\s\S]*?^\}\)\(\);\n/m

/** Names everything, so that nothing could be left out; {@link exported} has a shorter one. */
const lowLevel = /^nacl\.lowlevel = \{[\s\S]*?^\};\n/m

/** `crypto/primitives-js.ts` makes the same checks before it calls. */
const argumentChecks: readonly string[] = ['checkArrayTypes', 'checkLengths']

/** What `crypto/` uses, under the names of tweetnacl's own interface. */
const exported = `
nacl_secretbox.open = nacl_secretbox_open;
nacl_scalarMult.base = nacl_scalarMult_base;
export default {
  hash: nacl_hash,
  secretbox: nacl_secretbox,
  scalarMult: nacl_scalarMult,
  sign: {
    detached: Object.assign(nacl_sign_detached, { verify: nacl_sign_detached_verify }),
    keyPair: { fromSeed: nacl_sign_keyPair_fromSeed },
  },
  lowlevel: { gf, D, L, pack25519, unpack25519, M, A, Z, S, pow2523, scalarmult },
};
`

/** The plugin; its `onLoad` fails the build when tweetnacl does not look as expected. */
export function tweetnaclParts(): Plugin {
  return {
    name: 'tweetnacl-parts',
    setup(build) {
      build.onLoad({ filter: /[\\/]tweetnacl[\\/]nacl-fast\.js$/ }, async ({ path }) => {
        return { contents: partsOf(await readFile(path, 'utf8')), loader: 'js' }
      })
    },
  }
}

/**
 * tweetnacl's source as a module.
 * @throws Error when a part that is to be replaced is not there.
 */
export function partsOf(source: string): string {
  if (!source.startsWith(head) || !source.endsWith(foot)) throw new Error('tweetnacl has another frame')
  const body = [generator, lowLevel].reduce(without, source.slice(head.length, -foot.length))
  const parts = body
    .replace(/^nacl((?:\.\w+)+) = /gm, (_, name: string) => `var nacl${name.replace(/\./g, '_')} = `)
    .replace(/\bnacl((?:\.\w+)+)/g, (_, name: string) => `nacl${name.replace(/\./g, '_')}`)
    // A constant made by a call counts as an effect, unless it says that it is none.
    .replace(/= gf\(/g, '= /* @__PURE__ */ gf(')
  return withBodies(parts, argumentChecks, '') + exported
}

function without(body: string, part: RegExp): string {
  if (!part.test(body)) throw new Error(`tweetnacl has no ${part.source}`)
  return body.replace(part, '')
}
