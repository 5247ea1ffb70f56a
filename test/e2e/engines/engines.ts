/** The engines of phones: a bare V8 context, and JavaScriptCore without a JIT, each with and without BigInt. */

import { createBareContext } from '../../support/bare-context.ts'
import { confirm } from '../../support/confirmation.ts'
import type { TestService } from '../../support/service.ts'
import { createLoopback } from '../../support/wx-loopback.ts'
import { runInJsc } from './jsc.ts'

export interface Engine {
  readonly name: string
  /** Runs a page of `pages.ts` with the built client as the user `openid`. @returns the page's result */
  run(bundle: string, service: TestService, page: string, openid: string): Promise<unknown>
}

const settings = ({ origin, appid, roots }: TestService): object => ({ origin, appid, roots })

function phone(service: TestService, openid: string) {
  const soter = (challenge: string): Promise<object> => confirm(service, openid, challenge)
  return { appid: service.appid, sandboxUrl: service.sandboxUrl, openid, soter }
}

const bareContext = (name: string, withoutBigInt: boolean): Engine => ({
  name,
  run: async (bundle, service, page, openid) => {
    const context = createBareContext({ withoutBigInt })
    context.define('wx', createLoopback({ ...phone(service, openid), realm: context.realm }).wx)
    context.define('miniseal', context.load(bundle))
    context.define('settings', settings(service))
    return JSON.parse(String(await context.run(`(${page})(miniseal, settings).then(JSON.stringify)`)))
  },
})

const jsc = (name: string, withoutBigInt: boolean): Engine => ({
  name,
  run: (bundle, service, page, openid) => {
    const { wx } = createLoopback(phone(service, openid))
    return runInJsc({ bundle, page, settings: settings(service), wx, withoutBigInt })
  },
})

export const engines: readonly Engine[] = [
  bareContext('V8', false),
  bareContext('V8 without BigInt', true),
  jsc('JavaScriptCore', false),
  jsc('JavaScriptCore without BigInt', true),
]
