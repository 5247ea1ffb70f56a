/** Runs a bundle as a phone would: ECMAScript, timers, console and `wx`, and nothing of Node. */
import vm from 'node:vm'
import type { Realm } from './wx-callbacks.ts'

export interface BareContextOptions {
  /** As on engines without BigInt. */
  readonly withoutBigInt?: boolean
}

export interface BareContext {
  /** The context's own constructors, for buffers that are to be of its realm. */
  readonly realm: Realm
  /** Every name that is there. */
  globalNames(): readonly string[]
  /** Makes a value known by a global name, for example `wx`. */
  define(name: string, value: unknown): void
  /** Loads CommonJS and gives its exports. `require` fails with WeChat's words. */
  load(code: string): unknown
  /** Runs a script and gives its value. */
  run(script: string): unknown
}

/** What engines have and mini programs do not. */
const missing: readonly string[] = ['WebAssembly', 'SharedArrayBuffer', 'Atomics']
const bigInt: readonly string[] = ['BigInt', 'BigInt64Array', 'BigUint64Array']

/** A new context; `eval` and `new Function` throw in it. */
export function createBareContext({ withoutBigInt = false }: BareContextOptions = {}): BareContext {
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } })
  const run = (script: string): unknown => vm.runInContext(script, context)
  for (const name of [...missing, ...(withoutBigInt ? bigInt : [])]) run(`delete globalThis.${name}`)
  const define = (name: string, value: unknown): void => {
    Object.defineProperty(context, name, { value, writable: true, configurable: true })
  }
  for (const [name, value] of Object.entries({
    console,
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
  })) {
    define(name, value)
  }
  return {
    realm: run('({ ArrayBuffer, Uint8Array, Object })') as Realm,
    globalNames: () => run('Object.getOwnPropertyNames(globalThis)') as string[],
    define,
    run,
    load: (code) => {
      const wrapper = vm.compileFunction(code, ['require', 'module', 'exports'], { parsingContext: context })
      const module = { exports: {} }
      wrapper(refuseRequire, module, module.exports)
      return module.exports
    },
  }
}

function refuseRequire(path: string): never {
  throw new Error(`module '${path}.js' is not defined, require args is '${path}'`)
}
