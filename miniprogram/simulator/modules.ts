/** The mini program's modules as functions whose parameters hide what browsers have and phones lack. */
import type { AppFiles } from '../build/app-files.ts'
import { moduleReferences } from '../build/references.ts'

/** What a module of a mini program is given. */
const moduleParameters = [
  ...[
    'require',
    'module',
    'exports',
    'wx',
    'App',
    'Page',
    'Component',
    'Behavior',
    'getApp',
    'getCurrentPages',
  ],
] as const

/** Code that uses one of these fails in the browser as it fails on a phone. */
const hiddenGlobals = [
  ...[
    'window',
    'document',
    'self',
    'top',
    'parent',
    'frames',
    'globalThis',
    'location',
    'navigator',
    'history',
  ],
  ...['fetch', 'Headers', 'Request', 'Response', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'FormData'],
  ...['localStorage', 'sessionStorage', 'indexedDB', 'caches', 'crypto', 'performance', 'screen', 'origin'],
  ...['TextEncoder', 'TextDecoder', 'URL', 'URLSearchParams', 'Blob', 'File', 'FileReader', 'btoa', 'atob'],
  ...[
    'AbortController',
    'AbortSignal',
    'Event',
    'EventTarget',
    'CustomEvent',
    'MessageChannel',
    'postMessage',
  ],
  ...['BroadcastChannel', 'Worker', 'SharedWorker', 'WebAssembly', 'queueMicrotask', 'structuredClone'],
  ...['requestAnimationFrame', 'alert', 'confirm', 'prompt', 'Image', 'Node', 'Element', 'HTMLElement'],
  ...[
    'MutationObserver',
    'ResizeObserver',
    'customElements',
    'getComputedStyle',
    'matchMedia',
    'SharedArrayBuffer',
  ],
  ...['process', 'Buffer', 'global', 'setImmediate'],
]

/** @returns an expression: an object from path to `{ references, run }`. */
export function wrapModules(files: AppFiles): string {
  const modules = [...files].filter(([path]) => path.endsWith('.js'))
  return `{${modules.map(([path, code]) => wrapModule(path, String(code))).join(',\n')}}`
}

function wrapModule(path: string, code: string): string {
  const references = [...moduleReferences(path, code)].map(([request, target]): [string, string] => {
    return [request, target.replace(/\.ts$/, '.js')]
  })
  const parameters = [...moduleParameters, ...hiddenGlobals].join(',')
  // The inner function lets a module declare a name that is hidden here.
  return `${JSON.stringify(path)}:{references:${JSON.stringify(Object.fromEntries(references))},run:function(${parameters}){"use strict";(function(){${code}\n}).call(undefined)}}`
}
