/** The host for browsers: as strict as a phone. */
import { expect, it } from 'vitest'
import { type AppComponent, wrapModules } from '../../../miniprogram/simulator/compile.ts'
import { assertJsonSafe } from '../../../miniprogram/simulator/runtime/json-safe.ts'
import { compileStyles } from '../../../miniprogram/simulator/styles.ts'

const page: AppComponent = {
  path: 'p/p',
  isPage: true,
  manifest: { usingComponents: {} },
  prefix: undefined,
}
const own: AppComponent = { path: 'c/c', isPage: false, manifest: { usingComponents: {} }, prefix: 'c1' }

/** Runs a module as the host does, with nothing for its parameters but `exports`. */
function run(code: string): unknown {
  const modules: unknown = new Function(`return ${wrapModules(new Map([['a.js', code]]))}`)()
  const { 'a.js': module } = modules as { 'a.js': { run: (...values: unknown[]) => void } }
  const exports = {}
  module.run(undefined, { exports }, exports)
  return exports
}

it.each([
  'window',
  'fetch',
  'crypto',
  'TextEncoder',
  'localStorage',
  'WebSocket',
  'process',
  'Buffer',
  'globalThis',
])('the simulator hides %s from the app, as phones do', (name) => {
  expect(run(`exports.type = typeof ${name}`)).toEqual({ type: 'undefined' })
})

it('the simulator gives modules no access to the global object and allows them to declare hidden names', () => {
  expect(run('exports.self = this === undefined; const URL = 1; exports.url = URL')).toEqual({
    self: true,
    url: 1,
  })
})

it.each([
  [{ a: undefined }],
  [{ a: () => 1 }],
  [{ a: [new Date(0)] }],
  [{ a: new Map() }],
  [{ a: Number.NaN }],
  [{ a: 1n }],
  [{ a: Symbol('a') }],
])('the simulator refuses to set %o as data', (data) => {
  expect(() => assertJsonSafe(data, 'data')).toThrow(/setData: data\.a/)
})

it('the simulator rejects cyclic data and accepts plain data', () => {
  const loop: Record<string, unknown> = {}
  loop.loop = loop
  expect(() => assertJsonSafe(loop, 'data')).toThrow(/contains itself/)
  const shared = { b: 1 }
  expect(() =>
    assertJsonSafe({ a: [1, 'x', null, true, { b: {} }], c: shared, d: shared }, 'data'),
  ).not.toThrow()
})

it('the simulator scopes page styles to the page and component styles to their classes', () => {
  const files = new Map([
    ['app.wxss', 'page{--a:1}.x{width:2rpx}'],
    ['p/p.wxss', '.x view{color:red}page{height:100%}'],
    ['c/c.wxss', '@import "../d.wxss";.x,:host{color:red}'],
    ['d.wxss', '@keyframes k{from{top:0}}@media (prefers-color-scheme:dark){.x{color:blue}}'],
  ])
  const sheet = compileStyles(files, [own, page], new Set(['view']))
  expect(sheet.split('\n')).toEqual([
    '@keyframes k{from{top:0}}.c1--x,[wx-host="c1"]{color:red}',
    '[mp-page]{--a:1}.x{width:calc(2 * var(--rpx))}',
    '[mp-page="p/p"] .x wx-view{color:red}[mp-page="p/p"]{height:100%}',
  ])
})
