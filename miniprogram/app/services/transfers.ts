/**
 * Transfers, each made at most once: all attempts have one idempotency key, which is stored before the first attempt.
 */
import type { Answer } from 'miniseal-client'
import { ChannelError } from 'miniseal-client'
import { texts } from '../i18n/language'
import { channel, newKey } from './channel'
import { errorMessage } from './errors'
import { object } from './json'
import { isOnline } from './network'
import { storeReceipt } from './receipts'
import type { Transfer } from './wallet'
import { parseSent } from './wallet'

export interface TransferOrder {
  readonly payee: string
  /** Fen. */
  readonly amount: number
  readonly note: string
  /** The Idempotency-Key of all attempts. */
  readonly key: string
  /** Whether the user cancelled it: it is not sent again, only cancelled. */
  readonly isCancelled: boolean
}

/** What is known about an order. */
export type TransferOutcome =
  | { readonly kind: 'done'; readonly transfer: Transfer }
  /** No money was moved. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The money may have moved or may still move. */
  | {
      readonly kind: 'unknown'
      /** `interrupted`: the service cannot cancel it; only sending the same order again reveals the outcome. */
      readonly reason: 'network' | 'running' | 'interrupted'
    }

const pendingKey = 'pending-transfer'

/** Delays before each query, in milliseconds. */
const queryDelays: readonly number[] = [1_500, 3_000, 6_000, 12_000, 20_000]

/** Creates an order with a new key. */
export async function createOrder(payee: string, amount: number, note: string): Promise<TransferOrder> {
  return { payee, amount, note, key: await newKey(), isCancelled: false }
}

/** Sends an order for the first time. The order is stored until its outcome is known. */
export async function sendTransfer(order: TransferOrder): Promise<TransferOutcome> {
  const { offlineNotSent, notSent } = texts().transfer
  if (!isOnline()) return { kind: 'refused', reason: offlineNotSent }
  // Without the stored order, the outcome could not be resolved after a restart.
  const isStored = await storePending(order)
  if (!isStored) return { kind: 'refused', reason: `${texts().common.wentWrong}\n${notSent}` }
  const outcome = await attempt(order, false)
  if (outcome.kind !== 'unknown') clearPending()
  return outcome
}

/**
 * Marks an order as cancelled: `resolveOutcome` cancels it from now on, also after a restart.
 *
 * @param isCancelled false reverts the mark
 */
export async function cancelOrder(order: TransferOrder, isCancelled = true): Promise<TransferOrder> {
  const changed = { ...order, isCancelled }
  await storePending(changed)
  return changed
}

/**
 * Sends an order again, or cancels it, until its outcome is known or the attempts are used up.
 *
 * @param isWanted false ends the attempts; the order remains stored
 */
export async function resolveOutcome(
  order: TransferOrder,
  isWanted: () => boolean,
): Promise<TransferOutcome> {
  let outcome: TransferOutcome = unknown
  for (const delay of order.isCancelled ? [0, ...queryDelays] : queryDelays) {
    await wait(delay)
    if (!isWanted()) break
    if (!isOnline()) continue
    outcome = await (order.isCancelled ? cancel(order) : attempt(order, true))
    if (outcome.kind !== 'unknown') clearPending()
    else if (outcome.reason !== 'interrupted') continue
    break
  }
  return outcome
}

const unknown: TransferOutcome = { kind: 'unknown', reason: 'network' }

/** @param isRepeated an earlier attempt may have arrived, so only a signed refusal of the key settles the order */
async function attempt(order: TransferOrder, isRepeated: boolean): Promise<TransferOutcome> {
  try {
    return outcomeOf(await send(order))
  } catch (error) {
    if (!(error instanceof ChannelError)) return unknown
    const isSettled = error.outcome === 'refused' || (error.outcome === 'none' && !isRepeated)
    if (isSettled) return { kind: 'refused', reason: reasonOf(error) }
    return { kind: 'unknown', reason: error.reason === 'idempotency_in_progress' ? 'running' : 'network' }
  }
}

/** Cancels the order at the service, unless it has run. */
async function cancel({ key }: TransferOrder): Promise<TransferOutcome> {
  try {
    const found = await channel.cancel(key)
    switch (found.outcome) {
      case 'none':
        return { kind: 'refused', reason: texts().transfer.cancelled }
      case 'done':
        return found.answer === undefined ? unknown : outcomeOf(found.answer)
      case 'running':
        return { kind: 'unknown', reason: 'running' }
      case 'unknown':
        return { kind: 'unknown', reason: 'interrupted' }
    }
  } catch {
    return unknown
  }
}

function reasonOf(error: ChannelError): string {
  const { offlineNotSent, notSent } = texts().transfer
  return error.code === 'offline' ? offlineNotSent : `${errorMessage(error)}\n${notSent}`
}

/** A 4xx status of the backend means that nothing was done; any other unexpected answer leaves the outcome unknown. */
function outcomeOf(answer: Answer): TransferOutcome {
  if (answer.status === 201) return doneOf(answer)
  if (answer.status < 400 || answer.status >= 500) return unknown
  const { insufficient, notAccepted } = texts().transfer
  return {
    kind: 'refused',
    reason: answer.text().includes('"insufficient_funds"') ? insufficient : notAccepted,
  }
}

/** A malformed answer leaves the outcome unknown. */
function doneOf(answer: Answer): TransferOutcome {
  try {
    const transfer = parseSent(object(answer.json()))
    storeReceipt(transfer.id, answer)
    return { kind: 'done', transfer }
  } catch {
    return unknown
  }
}

function send({ payee, amount, note, key }: TransferOrder): Promise<Answer> {
  return channel.request({
    method: 'POST',
    path: '/wallet/transfers',
    body: { payee, amount, currency: 'CNY', ...(note === '' ? {} : { note }) },
    idempotencyKey: key,
    // The sheet has shown the order; the biometric prompt shows the service's summary.
    confirm: () => Promise.resolve(true),
  })
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Stores the order durably. @returns false when storage failed */
function storePending(order: TransferOrder): Promise<boolean> {
  return new Promise((resolve) => {
    const data = JSON.stringify(order)
    wx.setStorage({ key: pendingKey, data, success: () => resolve(true), fail: () => resolve(false) })
  })
}

function clearPending(): void {
  wx.removeStorage({ key: pendingKey })
}

/** The stored order; `undefined` when there is none or it is unreadable. */
export function findPending(): TransferOrder | undefined {
  const stored: unknown = wx.getStorageSync(pendingKey)
  if (typeof stored !== 'string' || stored === '') return undefined
  try {
    return parseOrder(JSON.parse(stored))
  } catch {
    return undefined
  }
}

function parseOrder(value: unknown): TransferOrder | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { payee, amount, note, key, isCancelled } = value as Partial<Record<keyof TransferOrder, unknown>>
  if (typeof payee !== 'string' || typeof key !== 'string' || typeof note !== 'string') return undefined
  return typeof amount === 'number'
    ? { payee, amount, note, key, isCancelled: isCancelled === true }
    : undefined
}
