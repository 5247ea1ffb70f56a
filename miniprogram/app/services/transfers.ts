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
  /** Whether the person gave it up: from then on it is not sent again, only stopped. */
  readonly isGivenUp: boolean
}

/** What is known, and nothing more. */
export type TransferOutcome =
  | { readonly kind: 'done'; readonly transfer: Transfer }
  /** The money did not move, and why. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may have moved, or may move yet. */
  | {
      readonly kind: 'unknown'
      /** `interrupted`: the service cannot stop it, and finds out only when the same order is sent again. */
      readonly because: 'network' | 'running' | 'interrupted'
    }

/** How long to wait before each time that the service is asked again, in milliseconds. */
const patience: readonly number[] = [1_500, 3_000, 6_000, 12_000, 20_000]

/** A new order with a key of its own. */
export async function createOrder(payee: string, amount: number, note: string): Promise<TransferOrder> {
  return { payee, amount, note, key: await newKey(), isGivenUp: false }
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
 * Gives an order up: `findOut` stops it from now on, also after a restart of the app.
 *
 * @param isGivenUp false takes that back
 */
export async function giveUp(order: TransferOrder, isGivenUp = true): Promise<TransferOrder> {
  const changed = { ...order, isGivenUp }
  await keepPending(changed)
  return changed
}

/**
 * Asks again what became of an order, with the same key, until it is known or patience ends. An order that was given up
 * is stopped.
 *
 * @param isWanted false ends the asking; the order stays kept
 */
export async function findOut(order: TransferOrder, isWanted: () => boolean): Promise<TransferOutcome> {
  let outcome: TransferOutcome = unknown
  for (const delay of order.isGivenUp ? [0, ...patience] : patience) {
    await wait(delay)
    if (!isWanted()) break
    if (!isOnline()) continue
    outcome = await (order.isGivenUp ? stop(order) : attempt(order, true))
    if (outcome.kind !== 'unknown') forgetPending()
    else if (outcome.because !== 'interrupted') continue
    break
  }
  return outcome
}

const unknown: TransferOutcome = { kind: 'unknown', because: 'network' }

/** @param isRepeated an earlier attempt may have arrived, so only the service's word that none has run settles it */
async function attempt(order: TransferOrder, isRepeated: boolean): Promise<TransferOutcome> {
  try {
    return outcomeOf(await send(order))
  } catch (error) {
    if (!(error instanceof ChannelError)) return unknown
    const isSettled = error.outcome === 'refused' || (error.outcome === 'none' && !isRepeated)
    if (isSettled) return { kind: 'refused', reason: reasonOf(error) }
    return { kind: 'unknown', because: error.reason === 'idempotency_in_progress' ? 'running' : 'network' }
  }
}

/** Has the service make sure that it never runs, unless it did. */
async function stop({ key }: TransferOrder): Promise<TransferOutcome> {
  try {
    const found = await channel.cancel(key)
    switch (found.outcome) {
      case 'none':
        return { kind: 'refused', reason: texts().transfer.givenUp }
      case 'done':
        return found.answer === undefined ? unknown : outcomeOf(found.answer)
      case 'running':
        return { kind: 'unknown', because: 'running' }
      case 'unknown':
        return { kind: 'unknown', because: 'interrupted' }
    }
  } catch {
    return unknown
  }
}

function reasonOf(error: ChannelError): string {
  const { offlineNotSent, notSent } = texts().transfer
  return error.code === 'offline' ? offlineNotSent : `${sentenceOf(error)}\n${notSent}`
}

/** A 4xx is the backend's word that it has done nothing; whatever else is not understood is not known. */
function outcomeOf(answer: Answer): TransferOutcome {
  if (answer.status === 201) return doneOf(answer)
  if (answer.status < 400 || answer.status >= 500) return unknown
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
    return unknown
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
