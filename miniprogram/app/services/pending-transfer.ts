/** The one transfer whose outcome is not known yet, kept over a restart of the app. */
import type { TransferOrder } from './transfers'

const storageKey = 'pending-transfer'

/** Durable when it resolves. */
export async function keepPending(order: TransferOrder): Promise<void> {
  await wx.setStorage({ key: storageKey, data: JSON.stringify(order) })
}

export async function forgetPending(): Promise<void> {
  await wx.removeStorage({ key: storageKey })
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
  const { payee, amount, note, key } = value as Partial<Record<keyof TransferOrder, unknown>>
  if (typeof payee !== 'string' || typeof key !== 'string' || typeof note !== 'string') return undefined
  return typeof amount === 'number' ? { payee, amount, note, key } : undefined
}
