/**
 * Sending money, at most once and with a true result: every attempt carries the key that was made, and kept, before the
 * first one.
 */
import type { Answer } from 'miniseal-client'
import { ChannelError } from 'miniseal-client'
import { texts } from '../i18n/language'
import { channel } from './channel'
import { sentenceOf } from './failures'
import { object } from './json'
import { newKey } from './keys'
import { isOnline } from './network'
import { forgetPending, keepPending } from './pending-transfer'
import { keepReceipt } from './receipts'
import type { Transfer } from './wallet'
import { parseSent } from './wallet'

export interface TransferOrder {
  readonly payee: string
  /** Fen. */
  readonly amount: number
  readonly note: string
  /** The Idempotency-Key: the same key is the same transfer, however often it is sent. */
  readonly key: string
}

/** What is known, and nothing more. */
export type TransferOutcome =
  | { readonly kind: 'done'; readonly transfer: Transfer }
  /** The money did not move, and why. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may have moved. */
  | { readonly kind: 'unknown' }

/** How long to wait before each time that the service is asked again, in milliseconds. */
const patience: readonly number[] = [1_500, 3_000, 6_000, 12_000, 20_000]

/** A new order with a key of its own. */
export async function createOrder(payee: string, amount: number, note: string): Promise<TransferOrder> {
  return { payee, amount, note, key: await newKey() }
}

/** Sends an order for the first time. It is kept until its outcome is known, also over a restart of the app. */
export async function sendTransfer(order: TransferOrder): Promise<TransferOutcome> {
  const { offlineNotSent, notSent } = texts().transfer
  if (!isOnline()) return { kind: 'refused', reason: offlineNotSent }
  // What cannot be kept could not be found out about either.
  const isKept = await keepPending(order)
  if (!isKept) return { kind: 'refused', reason: `${texts().common.wentWrong}\n${notSent}` }
  const outcome = await attempt(order, false)
  if (outcome.kind !== 'unknown') forgetPending()
  return outcome
}

/**
 * Asks again what became of an order, with the same key, until it is known or patience ends.
 *
 * @param isWanted false ends the asking; the order stays kept
 */
export async function findOut(order: TransferOrder, isWanted: () => boolean): Promise<TransferOutcome> {
  for (const delay of patience) {
    await wait(delay)
    if (!isWanted()) break
    if (!isOnline()) continue
    const outcome = await attempt(order, true)
    if (outcome.kind === 'unknown') continue
    forgetPending()
    return outcome
  }
  return { kind: 'unknown' }
}

/** @param isRepeated an earlier attempt may have arrived, so only what proves that none has run settles it */
async function attempt(order: TransferOrder, isRepeated: boolean): Promise<TransferOutcome> {
  try {
    return outcomeOf(await send(order))
  } catch (error) {
    return isSettled(error, isRepeated) ? { kind: 'refused', reason: reasonOf(error) } : { kind: 'unknown' }
  }
}

/** What only comes after the backend declined, or asked for a finger: it has not run, in this attempt or before. */
const settling: readonly string[] = [
  'payload_invalid',
  'not_found',
  'step_up_invalid',
  'confirmation_cancelled',
]

function isSettled(error: unknown, isRepeated: boolean): error is ChannelError {
  if (!(error instanceof ChannelError) || error.outcome === 'unknown') return false
  return !isRepeated || settling.includes(error.code) || error.code.startsWith('soter_')
}

function reasonOf(error: ChannelError): string {
  const { offlineNotSent, notSent } = texts().transfer
  return error.code === 'offline' ? offlineNotSent : `${sentenceOf(error)}\n${notSent}`
}

/** A 4xx is the backend's word that it has done nothing; whatever else is not understood is not known. */
function outcomeOf(answer: Answer): TransferOutcome {
  if (answer.status === 201) return doneOf(answer)
  if (answer.status < 400 || answer.status >= 500) return { kind: 'unknown' }
  const { insufficient, notAccepted } = texts().transfer
  return {
    kind: 'refused',
    reason: answer.text().includes('"insufficient_funds"') ? insufficient : notAccepted,
  }
}

/** An answer that cannot be read is no reason to call a transfer failed. */
function doneOf(answer: Answer): TransferOutcome {
  try {
    const transfer = parseSent(object(answer.json()))
    keepReceipt(transfer.id, answer)
    return { kind: 'done', transfer }
  } catch {
    return { kind: 'unknown' }
  }
}

function send({ payee, amount, note, key }: TransferOrder): Promise<Answer> {
  return channel.request({
    method: 'POST',
    path: '/wallet/transfers',
    body: { payee, amount, currency: 'CNY', ...(note === '' ? {} : { note }) },
    idempotencyKey: key,
    // The sheet has shown what is confirmed; the phone's own prompt shows the service's words for it.
    confirm: () => Promise.resolve(true),
  })
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
