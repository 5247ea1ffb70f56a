/**
 * An esbuild plugin for noble's files, so that the bundle survives two things (WeChat platform facts,
 * measured):
 *
 * 1. WeChat's ES6 to ES5 step turns `a ** b` into `Math.pow(a, b)`, which throws for BigInt while noble
 *    loads;
 * 2. an engine without BigInt cannot even parse a literal such as `2n`, though it would never run it.
 *
 * esbuild's own parser does the work: told that the target has no exponent operator and no BigInt literals,
 * it writes `__pow(a, b)` and `BigInt("2")`. Only its `__pow`, which is `Math.pow`, must be replaced by one
 * that knows BigInt.
 */
import { readFile } from 'node:fs/promises'
import type { Plugin, TransformOptions } from 'esbuild'

/** As `esbuild.transform`; a parameter so that a test can hand in one that forgets something. */
type Transform = (source: string, options: TransformOptions) => Promise<{ readonly code: string }>

const nobleFiles = /[\\/]@noble[\\/](?:curves|hashes)[\\/].*\.js$/

/** esbuild's helper, to the letter. */
const powerOfNumbers = 'var __pow = Math.pow;'

/** BigInt by repeated multiplication: noble raises a few constants once, to at most the 447th power. */
const powerOfBoth = `var __pow = function (base, exponent) {
  if (typeof base !== "bigint") return Math.pow(base, exponent);
  var power = BigInt(1);
  for (var left = Number(exponent); left > 0; left--) power *= base;
  return power;
};`

/** `2 ** 32` in the inner loop of SHA-512, and its like. */
const powerOfLiterals = /\b__pow\((\d+), (\d+)\)/g

const options: TransformOptions = {
  loader: 'js',
  // The build itself lowers the rest.
  target: 'esnext',
  supported: { 'exponent-operator': false, bigint: false },
  // No minifying here: it loses the hints by which the build leaves out what is not used.
  legalComments: 'inline',
}

/**
 * The plugin. Its `onLoad` fails the build, with the file's name, when a `**` or a BigInt literal is still in
 * a file of noble, or when esbuild's helper is no longer the one that is replaced here.
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
 * One file without `**` and without BigInt literals.
 *
 * @throws Error when one of them is left.
 */
export async function rewriteForWeChat(source: string, path: string, transform: Transform): Promise<string> {
  const { code } = await transform(source, options)
  if (code.includes('__pow(') && !code.includes(powerOfNumbers))
    throw new Error(`unknown helper for ** in ${path}`)
  const rewritten = code
    .replace(powerOfNumbers, powerOfBoth)
    .replace(powerOfLiterals, (_, base, exponent) => String(Number(base) ** Number(exponent)))
  const bare = withoutCommentsAndStrings(rewritten)
  if (bare.includes('**')) throw new Error(`** is left in ${path}`)
  if (/(?<![\w$.])\d\w*n\b/.test(bare)) throw new Error(`a BigInt literal is left in ${path}`)
  return rewritten
}

/**
 * Good for esbuild's output only: there, strings stand in double quotes and comments are legal notices or
 * hints.
 */
function withoutCommentsAndStrings(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\//g, '')
}
