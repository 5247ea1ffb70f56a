/** The wallet behind the channel. */
import { channel } from './channel'
import type { JsonObject } from './json'
import { integer, list, objectOf, optionalText, text } from './json'

export interface Wallet {
  /** The service's name for this user; others transfer to it. */
  readonly user: string
  /** Fen. */
  readonly balance: number
}

export interface Transfer {
  readonly id: string
  readonly payee: string
  /** Fen, positive. */
  readonly amount: number
  readonly note: string
  /** UNIX seconds. */
  readonly createdAt: number
}

export async function fetchWallet(): Promise<Wallet> {
  const body = objectOf(await channel.request({ method: 'GET', path: '/wallet' }))
  return { user: text(body.user), balance: integer(body.balance) }
}

/** Newest first. */
export async function fetchTransfers(): Promise<readonly Transfer[]> {
  const body = objectOf(await channel.request({ method: 'GET', path: '/wallet/transfers' }))
  return list(body.transfers).map(parseTransfer)
}

/** @throws ChannelError `unexpected_answer`. */
export function parseTransfer(body: JsonObject): Transfer {
  return {
    id: text(body.id),
    payee: text(body.payee),
    amount: integer(body.amount),
    note: optionalText(body.note),
    createdAt: integer(body.created_at),
  }
}
