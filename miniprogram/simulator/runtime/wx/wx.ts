/** The `wx` of this host: the functions that the app, TDesign and the client use, with the behaviour of phones. */
import type { Pages } from '../pages.ts'
import { api, later } from './api.ts'
import { deviceCalls, deviceFunctions } from './device.ts'
import { networkFunctions, networkType } from './network.ts'
import { request } from './request.ts'
import { screenCalls } from './screen.ts'
import { connectSocket } from './socket.ts'
import { storageCalls, storageFunctions } from './storage.ts'
import { userCalls } from './user.ts'

/** Gives the members of the result besides `errMsg`, or a promise of them, or nothing. */
type Call = (options: never) => unknown

export function createWx(pages: Pages): object {
  const calls: Readonly<Record<string, Call>> = {
    ...userCalls,
    ...storageCalls,
    ...deviceCalls,
    ...screenCalls(pages),
    getNetworkType: () => ({ networkType: networkType() }),
  }
  const functions = {
    ...storageFunctions,
    ...deviceFunctions,
    ...networkFunctions,
    request,
    connectSocket,
    nextTick: (run: () => void) => void later().then(run),
    createSelectorQuery: () => selectorQuery(pages),
    ...appListeners,
  }
  const asynchronous = Object.entries(calls).map(([name, run]) => [
    name,
    api(name, run as (options: object) => object),
  ])
  const wx: Record<string, unknown> = { ...functions, ...Object.fromEntries(asynchronous) }
  wx.canIUse = (name: string) => typeof wx[name.split('.')[0] ?? ''] === 'function'
  return wx
}

function selectorQuery(pages: Pages): unknown {
  const create = pages.current?.instance.createSelectorQuery
  return typeof create === 'function'
    ? (Reflect.apply(create, pages.current?.instance, []) as unknown)
    : undefined
}

type Listener = () => void

const shown = new Set<Listener>()
const hidden = new Set<Listener>()

const appListeners = {
  onAppShow: (listener: Listener) => void shown.add(listener),
  offAppShow: (listener: Listener) => void shown.delete(listener),
  onAppHide: (listener: Listener) => void hidden.add(listener),
  offAppHide: (listener: Listener) => void hidden.delete(listener),
}

/** Tells listeners that the app came to the front, or left it. */
export function announceApp(isShown: boolean): void {
  for (const listener of [...(isShown ? shown : hidden)]) listener()
}
