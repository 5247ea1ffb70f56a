/** The demo wallet. */
import { channel } from './channel'
import type { JsonObject } from './json'
import { integer, list, objectOf, optionalText, text } from './json'

export interface Wallet {
  /** The user's id at the service, which is also the account. */
  readonly user: string
  /** Fen. */
  readonly balance: number
}

export interface Transfer {
  readonly id: string
  /** Payee or payer. */
  readonly peer: string
  /** Fen; negative for sent transfers. */
  readonly amount: number
  readonly note: string
  /** UNIX seconds. */
  readonly createdAt: number
}

export async function fetchWallet(): Promise<Wallet> {
  const body = objectOf(await channel.request({ method: 'GET', path: '/wallet' }))
  return { user: text(body.user), balance: integer(body.balance) }
}

/** Sent and received, newest first. */
export async function fetchTransfers(): Promise<readonly Transfer[]> {
  const [sent, received] = await Promise.all([
    channel.request({ method: 'GET', path: '/wallet/transfers' }),
    channel.request({ method: 'GET', path: '/wallet/received' }),
  ])
  const all = [
    ...list(objectOf(sent).transfers).map(parseSent),
    ...list(objectOf(received).transfers).map(parseReceived),
  ]
  return all.sort((one, other) => other.createdAt - one.createdAt)
}

/** @throws ChannelError `unexpected_answer`. */
export function parseSent(body: JsonObject): Transfer {
  return { ...shared(body), peer: text(body.payee), amount: -integer(body.amount) }
}

/** @throws ChannelError `unexpected_answer`. */
export function parseReceived(body: JsonObject): Transfer {
  const name = optionalText(body.payer_name)
  return { ...shared(body), peer: name === '' ? text(body.payer) : name, amount: integer(body.amount) }
}

function shared(body: JsonObject): Pick<Transfer, 'id' | 'note' | 'createdAt'> {
  return { id: text(body.id), note: optionalText(body.note), createdAt: integer(body.created_at) }
}
