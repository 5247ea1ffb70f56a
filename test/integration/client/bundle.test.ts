/** The built client where phones run it: nothing but ECMAScript, timers, console and `wx`. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleClient, type ClientBundle } from '../../../miniprogram/build/bundle.ts'
import { checkBundle } from '../../../miniprogram/build/check-bundle.ts'
import { sha512 } from '../../../miniprogram/client/noble-sha512.ts'
import type { BareContext, BareContextOptions } from '../../support/bare-context.ts'
import { createBareContext } from '../../support/bare-context.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { createLoopback, type Loopback } from '../../support/wx-loopback.ts'

let bundle: ClientBundle
let service: TestService

beforeAll(async () => {
  bundle = await bundleClient()
  service = await startTestService()
})

afterAll(async () => {
  await service.close()
})

/** A mini program's own code, which sees the bundle and `wx`. */
const page = `(async () => {
  const channel = miniseal.createChannel(settings)
  const session = await channel.login()
  const before = (await channel.request({ method: 'GET', path: '/wallet' })).json()
  const order = { payee: 'bob', amount: 250, currency: 'CNY', note: '早饭' }
  const done = await channel.request({ method: 'POST', path: '/wallet/transfers', body: order })
  const after = (await channel.request({ method: 'GET', path: '/wallet' })).json()
  let refusal
  try {
    await channel.request({ method: 'POST', path: '/wallet/transfers', body: {} })
  } catch (error) {
    refusal = { isTyped: error instanceof miniseal.ChannelError, code: error.code, text: error.text('zh-CN') }
  }
  return JSON.stringify({ session, before, done: { ...done.json(), status: done.status }, after, refusal })
})()`

/** A key of Node from its seed and the PKCS #8 prefix of its algorithm (RFC 8410). */
function privateKey(prefix: string, seed: Uint8Array): KeyObject {
  const key = Buffer.concat([Buffer.from(prefix, 'hex'), seed])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

async function runPage(
  options: BareContextOptions,
): Promise<{ result: unknown; loopback: Loopback; context: BareContext }> {
  const context = createBareContext(options)
  const loopback = createLoopback({
    appid: service.appid,
    sandboxUrl: service.sandboxUrl,
    openid: `openid-bundle-${String(options.withoutBigInt)}`,
    realm: context.realm,
  })
  context.define('wx', loopback.wx)
  context.define('miniseal', context.load(bundle.code))
  context.define('settings', { origin: service.origin, appid: service.appid, roots: service.roots })
  const result: unknown = JSON.parse(String(await context.run(page)))
  return { result, loopback, context }
}

it.each([false, true])(
  'the bundle logs in and transfers money (without BigInt: %s)',
  async (withoutBigInt) => {
    const { result, loopback } = await runPage({ withoutBigInt })
    expect(result).toMatchObject({
      session: { user: expect.stringMatching(/^u_/), device: { isNew: true } },
      before: { balance: 1_000_000, currency: 'CNY' },
      done: { status: 201, payee: 'bob', amount: 250, note: '早饭' },
      after: { balance: 1_000_000 - 250 },
      refusal: { isTyped: true, code: 'payload_invalid', text: '提交的内容有误，请检查' },
    })
    const urls = loopback.requests.map(({ method, url }) => `${method} ${url.slice(service.origin.length)}`)
    expect(urls).toEqual(['GET /.well-known/miniseal', ...Array.from({ length: 5 }, () => 'POST /seal')])
    // When the newest configuration was made, and the device key.
    expect([...loopback.storage.values()]).toEqual([
      { data: expect.stringMatching(/^[0-9]{10}$/), isEncrypted: true },
      { data: expect.stringMatching(/^[\w-]{43}$/), isEncrypted: true },
    ])
  },
)

it.each([
  ['noble', false],
  ['tweetnacl', true],
])(
  'the bundle uses the curves of %s (without BigInt: %s), which agree with Node',
  async (name, withoutBigInt) => {
    const { code } = await bundleClient('crypto/primitives/primitives-js.ts')
    const context = createBareContext({ withoutBigInt })
    const seed = randomBytes(32)
    context.define('module_', context.load(code))
    context.define('seedBytes', [...seed])
    const script = `(async () => {
    const curves = await module_.loadCurves()
    const seed = new Uint8Array(seedBytes)
    const { publicKey, secretKey } = curves.ed25519KeyPair(seed)
    const signature = curves.ed25519Sign(seed, secretKey)
    const isValid = curves.ed25519Verify(signature, seed, publicKey)
    return JSON.stringify([curves.name, isValid, [...signature], [...curves.x25519PublicKey(seed)]])
  })()`
    const signature = sign(null, seed, privateKey('302e020100300506032b657004220420', seed))
    const agreement = createPublicKey(privateKey('302e020100300506032b656e04220420', seed))
    const x25519 = agreement.export({ format: 'der', type: 'spki' }).subarray(-32)
    const result: unknown = JSON.parse(String(await context.run(script)))
    expect(result).toEqual([name, true, [...signature], [...x25519]])
  },
)

it('the bundle runs in a context without the globals of Node and browsers', () => {
  const names = createBareContext().globalNames()
  for (const name of [
    'process',
    'Buffer',
    'require',
    'fetch',
    'TextEncoder',
    'URL',
    'crypto',
    'atob',
    'WebAssembly',
  ]) {
    expect(names).not.toContain(name)
  }
  expect(() => createBareContext().run('new Function("return 1")()')).toThrow(/Code generation/)
  expect(() => createBareContext().load("require('crypto')")).toThrow("module 'crypto.js' is not defined")
})

it("the SHA-512 of the bundle agrees with Node's", () => {
  for (const length of [0, 1, 111, 112, 127, 128, 129, 1000]) {
    const message = new Uint8Array(randomBytes(length))
    expect([...sha512(message)]).toEqual([...createHash('sha512').update(message).digest()])
  }
  expect([sha512.outputLen, sha512.blockLen]).toEqual([64, 128])
})

it("the bundle uses tweetnacl's SHA-512 for noble", () => {
  const files = Object.keys(bundle.inputs)
  expect(files).toContain('miniprogram/client/noble-sha512.ts')
  expect(files.filter((file) => file.endsWith('sha2.js'))).toEqual([])
})

it('the bundle check accepts the client bundle', async () => {
  const report = await checkBundle(bundle)
  expect(report.problems).toEqual([])
  expect(report.bytes).toBeLessThanOrEqual(170 * 1024)
  expect(report.gzipped).toBeLessThanOrEqual(56 * 1024)
})

const exported = 'module.exports={createChannel(){}};'

it.each([
  ['forbidden global fetch', 'module.exports.a=()=>fetch("x")'],
  ['forbidden global TextEncoder', 'module.exports.a=()=>new TextEncoder()'],
  ['forbidden global process', 'module.exports.a=typeof process'],
  ['forbidden global require', 'module.exports.a=()=>require("crypto")'],
  ['forbidden global globalThis', 'module.exports.a=()=>globalThis.fetch'],
  ['forbidden global Function', 'module.exports.a=()=>new Function("1")'],
  ['a BigInt literal is used', 'module.exports.a=()=>1n'],
  ['the operator ** is used', 'module.exports.a=(b,c)=>b**c'],
  ['syntax newer than ES2018 is used', 'module.exports.a=(b)=>b?.c'],
  ['load failed: ReferenceError: BigInt is not defined', 'module.exports.a=BigInt(1)'],
])('the bundle check reports that %s', async (problem, code) => {
  const { problems } = await checkBundle({ code: exported + code, inputs: {} })
  expect(problems).toContain(problem)
})

it('the bundle check ignores declared names, members and strings', async () => {
  const code = `${exported}module.exports.a=(fetch,o)=>{const URL=1;return fetch(o.crypto,"process 1n **",URL)}`
  expect((await checkBundle({ code, inputs: {} })).problems).toEqual([])
})

it('the bundle check reports unexpected inputs', async () => {
  const inputs = { 'crypto/text.ts': 1, 'service/server.ts': 1, 'node_modules/jose/index.js': 1 }
  expect((await checkBundle({ code: exported, inputs })).problems).toEqual([
    'unexpected input service/server.ts',
    'unexpected input node_modules/jose/index.js',
  ])
})

it('the bundle check reports a bundle above the size limits', async () => {
  const random = Array.from({ length: 40_000 }, (_, index) =>
    Math.imul(index + 1, 2_654_435_761).toString(36),
  )
  const { problems } = await checkBundle({ code: `${exported}"${random.join('')}"`, inputs: {} })
  expect(problems).toHaveLength(2)
  expect(problems.join()).toMatch(/limit of 174080.*limit of 57344/)
})

it('the bundle check reports a bundle without createChannel', async () => {
  expect((await checkBundle({ code: '', inputs: {} })).problems).toEqual(['createChannel is not exported'])
})
