/** Receipts of this phone's transfers: the service's answer names the log entry of its request. */
import type { Answer, Receipt } from 'miniseal-client'
import { channel } from './channel'

const storageKey = 'receipts'

/** So many are kept. */
const keptReceipts = 100

/** Remembers the log entry that an answer cites; where the service keeps no log, there is none. */
export function keepReceipt(transfer: string, { receipt }: Answer): void {
  if (receipt === undefined) return
  const kept = [[transfer, receipt], ...receipts().filter(([id]) => id !== transfer)].slice(0, keptReceipts)
  wx.setStorageSync(storageKey, JSON.stringify(kept))
}

/** The id of the log entry; `undefined` for transfers of other phones. */
export function findReceipt(transfer: string): string | undefined {
  return receipts().find(([id]) => id === transfer)?.[1]
}

/** Fetched from the service and checked here. @throws ChannelError. */
export function fetchReceipt(id: string): Promise<Receipt> {
  return channel.receipt(id)
}

function receipts(): readonly (readonly [string, string])[] {
  const stored: unknown = wx.getStorageSync(storageKey)
  if (typeof stored !== 'string' || stored === '') return []
  const parsed: unknown = JSON.parse(stored)
  return Array.isArray(parsed) ? (parsed as readonly (readonly [string, string])[]) : []
}
