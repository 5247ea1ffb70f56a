/** What the phone tells about itself: whether there is a network, and when the mini program is seen again. */
import { ChannelError } from './errors.ts'
import { withDeadline } from './timers.ts'
import type { WeChat } from './wx.ts'

export interface PhoneEvents {
  /** Whether there is a network, as far as is known. */
  isOnline(): boolean
  /**
   * Calls `listener` when the network came, went or changed, and when the mini program is shown again.
   * @returns a function that ends this.
   */
  listen(listener: () => void): () => void
}

/** Where nothing is told, the network counts as there: a request will find out. */
export const noPhoneEvents: PhoneEvents = { isOnline: () => true, listen: () => () => {} }

/** Those of WeChat. Asks and listens at once, and as long as the mini program runs. */
export function wxEvents(wx: WeChat): PhoneEvents {
  let isOnline = true
  const listeners = new Set<() => void>()
  const emitState = (): void => {
    for (const listener of [...listeners]) listener()
  }
  wx.getNetworkType?.({
    success: ({ networkType }) => {
      isOnline = networkType !== 'none'
      emitState()
    },
    fail: () => {},
  })
  wx.onNetworkStatusChange?.(({ isConnected }) => {
    isOnline = isConnected
    emitState()
  })
  wx.onAppShow?.(emitState)
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

/** How long a request that may wait for the network waits. */
const MAX_WAIT_MS = 60_000

/**
 * Resolves when there is a network.
 * @throws ChannelError `offline`: at once, or after a minute for a caller that waits. Nothing has been sent.
 */
export async function assertOnline(events: PhoneEvents, mayWait: boolean): Promise<void> {
  const offline = (): ChannelError => new ChannelError('offline', 'there is no network')
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
