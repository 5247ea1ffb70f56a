/** Whether there is a network, and how the app hears of it. */

type Listener = (result: { readonly isConnected: boolean; readonly networkType: string }) => void

const listeners = new Set<Listener>()

export function isOffline(): boolean {
  return !navigator.onLine
}

export function networkType(): string {
  return isOffline() ? 'none' : 'wifi'
}

export const networkFunctions = {
  onNetworkStatusChange: (listener: Listener) => {
    listeners.add(listener)
  },
  offNetworkStatusChange: (listener?: Listener) => {
    if (listener === undefined) listeners.clear()
    else listeners.delete(listener)
  },
}

function emit(): void {
  for (const listener of [...listeners]) listener({ isConnected: !isOffline(), networkType: networkType() })
}

window.addEventListener('online', emit)
window.addEventListener('offline', emit)
