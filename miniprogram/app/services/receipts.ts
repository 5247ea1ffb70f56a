/** Receipts of this phone's transfers: the service's answer names the log entry of its request. */
import type { Answer } from 'miniseal'

const storageKey = 'receipts'

/** So many are kept. */
const keptReceipts = 100

/** Remembers the log entry that an answer cites; where the service keeps no log, there is none. */
export function keepReceipt(transfer: string, answer: Answer): void {
  const cited = /^:([A-Za-z0-9+/]{43}=):$/.exec(answer.headers['miniseal-receipt'] ?? '')?.[1]
  if (cited === undefined) return
  const hash = cited.replace(/\+/g, '-').replace(/\//g, '_').replace('=', '')
  const kept = [[transfer, hash], ...receipts().filter(([id]) => id !== transfer)].slice(0, keptReceipts)
  wx.setStorageSync(storageKey, JSON.stringify(kept))
}

/** The hash of the log entry, base64url; `undefined` for transfers of other phones. */
export function findReceipt(transfer: string): string | undefined {
  return receipts().find(([id]) => id === transfer)?.[1]
}

function receipts(): readonly (readonly [string, string])[] {
  const stored: unknown = wx.getStorageSync(storageKey)
  if (typeof stored !== 'string' || stored === '') return []
  const parsed: unknown = JSON.parse(stored)
  return Array.isArray(parsed) ? (parsed as readonly (readonly [string, string])[]) : []
}
