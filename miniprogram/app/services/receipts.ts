/** Receipts of the transfers made on this phone. */
import type { Answer, Receipt } from 'miniseal-client'
import { channel } from './channel'

const storageKey = 'receipts'

const maxReceipts = 100

/** Stores the receipt id of an answer, if it has one. */
export function storeReceipt(transfer: string, { receipt }: Answer): void {
  if (receipt === undefined) return
  const stored = [[transfer, receipt], ...receipts().filter(([id]) => id !== transfer)].slice(0, maxReceipts)
  wx.setStorageSync(storageKey, JSON.stringify(stored))
}

/** The receipt id; `undefined` for transfers of other phones. */
export function findReceipt(transfer: string): string | undefined {
  return receipts().find(([id]) => id === transfer)?.[1]
}

/** Fetches and verifies a receipt. @throws ChannelError */
export function fetchReceipt(id: string): Promise<Receipt> {
  return channel.receipt(id)
}

function receipts(): readonly (readonly [string, string])[] {
  const stored: unknown = wx.getStorageSync(storageKey)
  if (typeof stored !== 'string' || stored === '') return []
  const parsed: unknown = JSON.parse(stored)
  return Array.isArray(parsed) ? (parsed as readonly (readonly [string, string])[]) : []
}
