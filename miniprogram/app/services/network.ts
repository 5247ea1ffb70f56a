/** The network status. */

type Listener = (isOnline: boolean) => void

const listeners = new Set<Listener>()
let online = true

/** Called once, at launch. */
export function watchNetwork(): void {
  wx.getNetworkType({ success: ({ networkType }) => emit(networkType !== 'none') })
  wx.onNetworkStatusChange(({ isConnected }) => emit(isConnected))
}

export function isOnline(): boolean {
  return online
}

/** Calls `listener` now and on each change. @returns a function that removes the listener */
export function onNetwork(listener: Listener): () => void {
  listeners.add(listener)
  listener(online)
  return () => {
    listeners.delete(listener)
  }
}

function emit(isConnected: boolean): void {
  if (isConnected === online) return
  online = isConnected
  for (const listener of [...listeners]) listener(online)
}
