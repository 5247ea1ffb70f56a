/** The one transfer whose outcome is not known yet, kept over a restart of the app. */
import type { TransferOrder } from './transfers'

const storageKey = 'pending-transfer'

/** Durable when it resolves. @returns false when the phone could not keep it. */
export function keepPending(order: TransferOrder): Promise<boolean> {
  return new Promise((resolve) => {
    const data = JSON.stringify(order)
    wx.setStorage({ key: storageKey, data, success: () => resolve(true), fail: () => resolve(false) })
  })
}

export function forgetPending(): void {
  wx.removeStorage({ key: storageKey })
}

/** `undefined` when there is none, or none that can be read. */
export function findPending(): TransferOrder | undefined {
  const stored: unknown = wx.getStorageSync(storageKey)
  if (typeof stored !== 'string' || stored === '') return undefined
  try {
    return parseOrder(JSON.parse(stored))
  } catch {
    return undefined
  }
}

function parseOrder(value: unknown): TransferOrder | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { payee, amount, note, key, isGivenUp } = value as Partial<Record<keyof TransferOrder, unknown>>
  if (typeof payee !== 'string' || typeof key !== 'string' || typeof note !== 'string') return undefined
  return typeof amount === 'number' ? { payee, amount, note, key, isGivenUp: isGivenUp === true } : undefined
}
