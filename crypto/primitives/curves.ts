/** Chooses the curves: noble where the engine has BigInt, else tweetnacl. */
import { tweetnaclCurves } from './curves-tweetnacl.ts'
import type { Curves } from './primitives-js.ts'

/** Not in ES2018; used with `typeof` only. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: this declares the global for the type checker, nothing else
declare const BigInt: unknown

/**
 * The fastest curves that load on this engine.
 *
 * noble is evaluated only when this is called, and only where BigInt exists. Should it throw all the same
 * (WeChat's build turns `a ** b` into `Math.pow(a, b)`, which BigInt refuses), tweetnacl takes over. Both
 * follow one contract.
 */
export async function loadCurves(): Promise<Curves> {
  if (typeof BigInt !== 'function') return tweetnaclCurves
  try {
    const { nobleCurves } = await import('./curves-noble.ts')
    return nobleCurves
  } catch {
    return tweetnaclCurves
  }
}
