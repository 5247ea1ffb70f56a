/** `wx` storage in the browser's, apart for each of the two phones. Not encrypted: play money only. */
import { phone } from '../settings.ts'
import { ApiFailure } from './api.ts'

const prefix = `phone-${phone}:`

export function readEntry(key: string): unknown {
  const stored = localStorage.getItem(prefix + key)
  return stored === null ? undefined : (JSON.parse(stored) as unknown)
}

export function writeEntry(key: string, data: unknown): void {
  localStorage.setItem(prefix + key, JSON.stringify(data))
}

export const storageCalls = {
  getStorage: ({ key }: { key: string }) => {
    const data = readEntry(key)
    if (data === undefined) throw new ApiFailure('data not found')
    return { data }
  },
  setStorage: ({ key, data }: { key: string; data: unknown }) => writeEntry(key, data),
  removeStorage: ({ key }: { key: string }) => localStorage.removeItem(prefix + key),
}

export const storageFunctions = {
  getStorageSync: (key: string) => readEntry(key) ?? '',
  setStorageSync: writeEntry,
  removeStorageSync: (key: string) => localStorage.removeItem(prefix + key),
}
