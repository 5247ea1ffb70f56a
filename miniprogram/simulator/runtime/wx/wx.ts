/** The `wx` object: the functions that the app, TDesign and the client use. */
import type { Pages } from '../pages.ts'
import { drawBars, hideToast, setBadge, setTab, showDialog, showToast } from '../phone.ts'
import { api, nextTask } from './api.ts'
import {
  deviceCalls,
  deviceFunctions,
  language,
  storageCalls,
  storageFunctions,
  userCalls,
} from './device.ts'
import { connectSocket, networkFunctions, networkType, request } from './network.ts'

/** Returns the members of the result other than `errMsg`, if any. */
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
    nextTick: (run: () => void) => void nextTask().then(run),
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

/** Calls the `onAppShow` or `onAppHide` listeners. */
export function emitAppVisibility(isVisible: boolean): void {
  for (const listener of [...(isVisible ? shown : hidden)]) listener()
}

interface ToastOptions {
  readonly title: string
  readonly duration?: number
}

interface ModalOptions {
  readonly title?: string
  readonly content?: string
  readonly showCancel?: boolean
  readonly cancelText?: string
  readonly confirmText?: string
}

/** Navigation, bars and dialogs. */
function screenCalls(pages: Pages) {
  return {
    navigateTo: ({ url }: { url: string }) => pages.navigateTo(url),
    redirectTo: ({ url }: { url: string }) => pages.redirectTo(url),
    reLaunch: ({ url }: { url: string }) => pages.reLaunch(url),
    switchTab: ({ url }: { url: string }) => pages.switchTab(url),
    navigateBack: ({ delta = 1 }: { delta?: number }) => pages.navigateBack(delta),
    setNavigationBarTitle: ({ title }: { title: string }) => {
      if (pages.current !== undefined) pages.current.title = title
      drawBars(pages)
    },
    setTabBarItem: ({ index, text }: { index: number; text: string }) => {
      setTab(index, text)
      drawBars(pages)
    },
    setTabBarBadge: ({ index, text }: { index: number; text: string }) => {
      setBadge(index, text)
      drawBars(pages)
    },
    removeTabBarBadge: ({ index }: { index: number }) => {
      setBadge(index, undefined)
      drawBars(pages)
    },
    stopPullDownRefresh: () => {},
    showToast: ({ title, duration = 1500 }: ToastOptions) => showToast(title, duration, false),
    hideToast,
    showLoading: ({ title }: ToastOptions) => showToast(title, undefined, true),
    hideLoading: hideToast,
    showModal,
  }
}

async function showModal(options: ModalOptions): Promise<object> {
  const isChinese = language().startsWith('zh')
  const confirm = await showDialog({
    title: options.title ?? '',
    content: options.content ?? '',
    cancelText:
      options.showCancel === false ? undefined : (options.cancelText ?? (isChinese ? '取消' : 'Cancel')),
    confirmText: options.confirmText ?? (isChinese ? '确定' : 'OK'),
  })
  return { confirm, cancel: !confirm }
}
