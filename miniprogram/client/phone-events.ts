/** Network status and app-show events of the phone. */

import { withDeadline } from './clock.ts'
import { ChannelError } from './errors.ts'
import type { WeChat } from './wx.ts'

export interface PhoneEvents {
  /** Last known network status. */
  isOnline(): boolean
  /**
   * Calls `listener` when the network status changes and when the mini program is shown.
   * @returns a function that removes the listener.
   */
  listen(listener: () => void): () => void
}

/** For platforms without these events. Assumes that the network is available. */
export const noPhoneEvents: PhoneEvents = { isOnline: () => true, listen: () => () => {} }

/** WeChat's events. Subscribes immediately, for the lifetime of the mini program. */
export function wxEvents(wx: WeChat): PhoneEvents {
  let isOnline = true
  const listeners = new Set<() => void>()
  const notify = (): void => {
    for (const listener of [...listeners]) listener()
  }
  wx.getNetworkType?.({
    success: ({ networkType }) => {
      isOnline = networkType !== 'none'
      notify()
    },
    fail: () => {},
  })
  wx.onNetworkStatusChange?.(({ isConnected }) => {
    isOnline = isConnected
    notify()
  })
  wx.onAppShow?.(notify)
  return {
    isOnline: () => isOnline,
    listen: (listener) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}

/** Maximum wait for the network with `waitForNetwork`. */
const MAX_WAIT_MS = 60_000

/**
 * Resolves when the network is available.
 * @throws ChannelError `offline`: immediately, or after a minute with `mayWait`. Nothing was sent.
 */
export async function assertOnline(events: PhoneEvents, mayWait = false): Promise<void> {
  const offline = (): ChannelError => new ChannelError('offline', 'no network')
  if (events.isOnline()) return
  if (!mayWait) throw offline()
  let stop = (): void => {}
  const online = new Promise<void>((resolve) => {
    stop = events.listen(() => {
      if (events.isOnline()) resolve()
    })
  })
  await withDeadline(online, MAX_WAIT_MS, offline).finally(stop)
}
