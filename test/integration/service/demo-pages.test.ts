/** The pages at `/demo/`: in development only, and strict. */
import { expect, it } from 'vitest'
import { sharedService } from '../../support/hooks.ts'
import { production, startTestService } from '../../support/service.ts'

const routes = [
  '/demo',
  '/demo/',
  '/demo/phone.html',
  '/demo/settings',
  '/demo/wechat/code',
  '/demo/wechat/soter',
]

const service = sharedService()

const post = (path: string, body: unknown): Promise<Response> => {
  return fetch(service.origin + path, { method: 'POST', body: JSON.stringify(body) })
}

it('the demo pages serve the settings of the service to the mini program', async () => {
  const answer = await fetch(`${service.origin}/demo/settings`)
  expect(await answer.json()).toEqual({ origin: service.origin, appid: service.appid, roots: service.roots })
})

it('the demo pages issue login codes and confirmations only for their own users', async () => {
  const openid = `demo-a-${'0'.repeat(24)}`
  expect(await (await post('/demo/wechat/code', { openid })).json()).toMatchObject({ openid })
  const signed = await (await post('/demo/wechat/soter', { openid, challenge: 'c' })).json()
  expect(signed).toMatchObject({ resultJSONSignature: expect.any(String) })
  for (const body of [{}, { openid: 'o123' }, { openid: 'demo-c-00' }, { openid, appid: 'wx1' }, 'x']) {
    expect((await post('/demo/wechat/code', body)).status).toBe(400)
    expect((await post('/demo/wechat/soter', body)).status).toBe(400)
  }
})

it('the demo pages redirect from another name of the machine to the origin of the service', async () => {
  const { port } = new URL(service.origin)
  const answer = await fetch(`http://localhost:${port}/demo/phone.html`, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([302, `${service.origin}/demo/phone.html`])
})

it('the demo pages serve only their own files', async () => {
  for (const path of [
    '/demo/../package.json',
    '/demo/%2e%2e/package.json',
    '/demo/..%2fpackage.json',
    '/demo/nothing',
  ]) {
    expect((await fetch(service.origin + path)).status).toBe(404)
  }
})

it.each([
  ['in production', { NODE_ENV: 'production' }],
  ['with backends of the operator', {}],
  ['with the WeChat of the operator', { MINISEAL_WECHAT_API: 'http://127.0.0.1:9' }],
])('the demo pages are not served %s', async (title, environment) => {
  const upstreams = title.includes('WeChat') ? {} : { MINISEAL_UPSTREAMS: '/wallet=http://127.0.0.1:9' }
  const isProduction = 'NODE_ENV' in environment
  const other = await startTestService({
    environment: {
      ...upstreams,
      ...(isProduction ? { ...production, MINISEAL_WECHAT_API: 'http://127.0.0.1:9' } : {}),
      ...environment,
    },
  })
  for (const route of routes) {
    const url = (other.url ?? other.origin) + route
    expect((await fetch(url, { redirect: 'manual' })).status, route).toBe(404)
    expect((await fetch(url, { method: 'POST', body: '{}' })).status, route).toBe(404)
  }
  await other.close()
})
