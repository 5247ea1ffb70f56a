/**
 * Sending money, at most once and with a true result: every attempt carries the key that was made, and kept, before the
 * first one.
 */
import type { Answer, RequestOptions } from 'miniseal'
import { ChannelError, stepUpField } from 'miniseal'
import { texts } from '../i18n/language'
import { channel } from './channel'
import { confirmByBody } from './confirmation'
import { sentenceOf } from './failures'
import { object, optionalText } from './json'
import { isOnline } from './network'
import { forgetPending, keepPending } from './pending-transfer'
import type { Transfer } from './wallet'
import { parseTransfer } from './wallet'

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
  const { randomValues } = await wx.getRandomValues({ length: 16 })
  const key = Array.from(new Uint8Array(randomValues), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { payee, amount, note, key }
}

/** Sends an order for the first time. It is kept until its outcome is known, also over a restart of the app. */
export async function sendTransfer(order: TransferOrder): Promise<TransferOutcome> {
  if (!isOnline()) return { kind: 'refused', reason: texts().transfer.offlineNotSent }
  await keepPending(order)
  const outcome = await attempt(order, false)
  if (outcome.kind !== 'unknown') await forgetPending()
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
    await forgetPending()
    return outcome
  }
  return { kind: 'unknown' }
}

/** @param isRepeated an earlier attempt may have arrived, so only the backend's own word settles it */
async function attempt(order: TransferOrder, isRepeated: boolean): Promise<TransferOutcome> {
  try {
    return outcomeOf(await send(order))
  } catch (error) {
    if (error instanceof NotConfirmed) return { kind: 'refused', reason: error.message }
    return isSettled(error, isRepeated) ? { kind: 'refused', reason: sentenceOf(error) } : { kind: 'unknown' }
  }
}

/** Refusals that come from the backend itself, which it gives only for what it has not done. */
const fromBackend: readonly string[] = ['payload_invalid', 'not_found', 'step_up_invalid']

function isSettled(error: unknown, isRepeated: boolean): boolean {
  if (!(error instanceof ChannelError) || error.outcome === 'unknown') return false
  return !isRepeated || fromBackend.includes(error.code)
}

function outcomeOf(answer: Answer): TransferOutcome {
  const body = object(answer.json())
  if (answer.status === 201) return { kind: 'done', transfer: parseTransfer(body) }
  if (answer.status >= 500) return { kind: 'unknown' }
  const { transfer } = texts()
  const isPoor = optionalText(body.error) === 'insufficient_funds'
  return { kind: 'refused', reason: isPoor ? transfer.insufficient : transfer.notAccepted }
}

/** Why nothing was sent after a question for finger or face. */
class NotConfirmed extends Error {}

async function send({ payee, amount, note, key }: TransferOrder): Promise<Answer> {
  const options: RequestOptions = {
    method: 'POST',
    path: '/wallet/transfers',
    body: { payee, amount, currency: 'CNY', ...(note === '' ? {} : { note }) },
    idempotencyKey: key,
  }
  try {
    return await channel.request(options)
  } catch (error) {
    if (!(error instanceof ChannelError) || error.code !== 'step_up_required') throw error
    return channel.request({ ...options, headers: { 'step-up': await confirmed(error) } })
  }
}

async function confirmed(error: ChannelError): Promise<string> {
  const challenge = optionalText(error.problem?.challenge)
  const confirmation = await confirmByBody(challenge, optionalText(error.problem?.summary))
  if (confirmation.kind === 'confirmed') return stepUpField(challenge, confirmation.result)
  throw new NotConfirmed(texts().confirmation[confirmation.kind])
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
