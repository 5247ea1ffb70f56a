/**
 * An esbuild plugin that removes `**` and BigInt literals from noble's files:
 *
 * 1. WeChat's ES6-to-ES5 step compiles `a ** b` to `Math.pow(a, b)`, which throws for BigInt while noble loads;
 * 2. engines without BigInt cannot parse a literal such as `2n`, even if it is never evaluated.
 *
 * esbuild compiles them to `__pow(a, b)` and `BigInt("2")` for a target without these features. The plugin replaces
 * its helper `__pow`, which is `Math.pow`, by one that supports BigInt.
 */
import { readFile } from 'node:fs/promises'
import type { Plugin, TransformOptions } from 'esbuild'

/** `esbuild.transform`, which a test replaces. */
type Transform = (source: string, options: TransformOptions) => Promise<{ readonly code: string }>

const nobleFiles = /[\\/]@noble[\\/](?:curves|hashes)[\\/].*\.js$/

/** esbuild's helper. */
const powerOfNumbers = 'var __pow = Math.pow;'

/** By repeated multiplication: noble computes a few constants, with exponents of at most 447. */
const powerOfBoth = `var __pow = function (base, exponent) {
  if (typeof base !== "bigint") return Math.pow(base, exponent);
  var power = BigInt(1);
  for (var rest = Number(exponent); rest > 0; rest--) power *= base;
  return power;
};`

/** Constants such as `2 ** 32`, which are used in inner loops. */
const powerOfLiterals = /\b__pow\((\d+), (\d+)\)/g

const options: TransformOptions = {
  loader: 'js',
  // The bundler lowers the rest.
  target: 'esnext',
  supported: { 'exponent-operator': false, bigint: false },
  // Minifying would lose the annotations for tree shaking.
  legalComments: 'inline',
}

/**
 * The plugin. Fails the build when a `**` or a BigInt literal remains, or when esbuild's helper has changed.
 */
export function noBigIntPower(): Plugin {
  return {
    name: 'no-bigint-power',
    setup(build) {
      build.onLoad({ filter: nobleFiles }, async ({ path }) => {
        const source = await readFile(path, 'utf8')
        return { contents: await rewriteForWeChat(source, path, build.esbuild.transform), loader: 'js' }
      })
    },
  }
}

/**
 * Rewrites a file without `**` and BigInt literals.
 *
 * @throws Error when one of them remains
 */
export async function rewriteForWeChat(source: string, path: string, transform: Transform): Promise<string> {
  const { code } = await transform(source, options)
  if (code.includes('__pow(') && !code.includes(powerOfNumbers))
    throw new Error(`unknown helper for ** in ${path}`)
  const rewritten = code
    .replace(powerOfNumbers, powerOfBoth)
    .replace(powerOfLiterals, (_, base, exponent) => String(Number(base) ** Number(exponent)))
  const bare = withoutCommentsAndStrings(rewritten)
  if (bare.includes('**')) throw new Error(`** remains in ${path}`)
  if (/(?<![\w$.])\d\w*n\b/.test(bare)) throw new Error(`a BigInt literal remains in ${path}`)
  return rewritten
}

/** For the output of esbuild only, which has double-quoted strings and block comments. */
function withoutCommentsAndStrings(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\//g, '')
}
