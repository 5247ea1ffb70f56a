/**
 * Checks the client bundle: size, inputs, syntax, and no globals that phones lack, although DevTools has them.
 *
 * Globals are found with esbuild's `define`, which replaces a name only where it is free.
 */
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { gzipSync } from 'node:zlib'
import type { TransformOptions } from 'esbuild'
import { transform } from 'esbuild'
import type { ClientBundle } from './bundle.ts'
import { bundlePath, writeClient } from './bundle.ts'

const MAX_BYTES = 170 * 1024
const MAX_GZIPPED = 56 * 1024

const allowedInputs: readonly string[] = [
  'crypto/',
  'miniprogram/client/',
  'node_modules/tweetnacl/',
  'node_modules/@noble/',
  'node_modules/@stablelib/',
  'node_modules/fflate/',
]

const words = (text: string): readonly string[] => text.split(/\s+/)

/** Globals of browsers and Node that some phones lack. */
export const foreignGlobals: readonly string[] = words(
  `window self global globalThis document navigator location localStorage sessionStorage history top parent frames
  fetch Headers Request Response XMLHttpRequest WebSocket EventSource FormData URL URLSearchParams Blob File FileReader
  TextEncoder TextDecoder atob btoa crypto performance indexedDB caches screen origin
  AbortController AbortSignal Event EventTarget CustomEvent MessageChannel BroadcastChannel postMessage
  Worker SharedWorker importScripts WebAssembly SharedArrayBuffer queueMicrotask structuredClone setImmediate
  requestAnimationFrame alert confirm prompt Image Node Element HTMLElement MutationObserver ResizeObserver
  customElements getComputedStyle matchMedia process Buffer`,
)

/** Not allowed in the bundle: these, what old engines lack, and what WeChat forbids. */
const forbiddenGlobals: readonly string[] = [
  ...foreignGlobals,
  ...words('Atomics WeakRef FinalizationRegistry eval Function require __dirname __filename'),
]

const MARK = '__forbidden_global_'

export interface BundleReport {
  readonly bytes: number
  readonly gzipped: number
  /** One message per violation. */
  readonly problems: readonly string[]
}

/** Checks a bundle. */
export async function checkBundle({ code, inputs }: ClientBundle): Promise<BundleReport> {
  const bytes = Buffer.byteLength(code)
  const gzipped = gzipSync(code, { level: 9 }).length
  const problems = [
    ...(bytes > MAX_BYTES ? [`size ${bytes} exceeds the limit of ${MAX_BYTES} bytes`] : []),
    ...(gzipped > MAX_GZIPPED ? [`gzipped size ${gzipped} exceeds the limit of ${MAX_GZIPPED} bytes`] : []),
    ...unexpectedInputs(inputs).map((path) => `unexpected input ${path}`),
    ...(await forbidden(code)).map((name) => `forbidden global ${name}`),
    ...(await syntaxProblems(code)),
    ...loadProblems(code),
  ]
  return { bytes, gzipped, problems }
}

function unexpectedInputs(inputs: ClientBundle['inputs']): readonly string[] {
  // `(disabled):…` is esbuild's empty module for a `browser` field that excludes a file.
  return Object.keys(inputs).filter((path) => {
    return !path.startsWith('(disabled):') && !allowedInputs.some((allowed) => path.startsWith(allowed))
  })
}

async function forbidden(code: string): Promise<readonly string[]> {
  const define = Object.fromEntries(forbiddenGlobals.map((name) => [name, `${MARK}${name}`]))
  const marked = await transformed(code, { define })
  return forbiddenGlobals.filter((name) => new RegExp(`\\b${MARK}${name}\\b`).test(marked))
}

async function syntaxProblems(code: string): Promise<readonly string[]> {
  const untouched = await transformed(code, {})
  // Where turning a feature off changes the output, the feature is used.
  const isUsed = async (options: TransformOptions): Promise<boolean> =>
    (await transformed(code, options)) !== untouched
  return [
    ...((await isUsed({ supported: { bigint: false } })) ? ['a BigInt literal is used'] : []),
    ...((await isUsed({ supported: { 'exponent-operator': false } })) ? ['the operator ** is used'] : []),
    ...((await isUsed({ target: 'es2018' })) ? ['syntax newer than ES2018 is used'] : []),
  ]
}

async function transformed(code: string, options: TransformOptions): Promise<string> {
  const result = await transform(code, { target: 'esnext', logLevel: 'silent', ...options })
  return result.code
}

/** The bundle has to load where there is no BigInt, no `require` and no `eval`. */
function loadProblems(code: string): readonly string[] {
  const context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } })
  vm.runInContext('delete globalThis.BigInt', context)
  const refuse = (path: string): never => {
    throw new Error(`module '${path}.js' is not defined`)
  }
  try {
    const load = vm.compileFunction(code, ['require', 'module', 'exports'], { parsingContext: context })
    const module = { exports: {} }
    load(refuse, module, module.exports)
    return 'createChannel' in module.exports ? [] : ['createChannel is not exported']
  } catch (error) {
    return [`load failed: ${String(error)}`]
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { bytes, gzipped, problems } = await checkBundle(await writeClient())
  console.log(`${bundlePath}: ${bytes} bytes, ${gzipped} gzipped`)
  for (const problem of problems) console.error(`${bundlePath}: ${problem}`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
