/** The functions of `wx` that draw something or go to another page. */
import { ask, hideToast, showToast } from '../overlays.ts'
import type { Pages } from '../pages.ts'
import { drawBars, setBadge, setTab } from '../phone.ts'
import { language } from './device.ts'

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

/** @param pages the stack that is navigated */
export function screenCalls(pages: Pages) {
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
  const confirm = await ask({
    title: options.title ?? '',
    content: options.content ?? '',
    cancelText:
      options.showCancel === false ? undefined : (options.cancelText ?? (isChinese ? '取消' : 'Cancel')),
    confirmText: options.confirmText ?? (isChinese ? '确定' : 'OK'),
  })
  return { confirm, cancel: !confirm }
}
