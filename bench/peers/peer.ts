/** The interface of a peer: an app and the enrolment of its clients. */
import type { Hono } from 'hono'
import type { PeerRecords } from './records.ts'

export interface Peer {
  readonly app: Hono
  /** For the load generator, which plays all clients: their secrets too. */
  readonly secrets: Readonly<Record<string, string>>
}

export type CreatePeer = (records: PeerRecords) => Promise<Peer>

/** The public origin; never read from `Host`. */
export const peerOrigin = 'https://pay.example.com'

/** Clients that have enrolled. */
export const peerClients = 8

/** Accepted age of a request, and how far ahead, in seconds, as in Miniseal. */
export const requestWindow = { past: 120, future: 10 } as const

/** @param at UNIX seconds */
export function isInWindow(at: number): boolean {
  const now = Date.now() / 1_000
  return at >= now - requestWindow.past && at <= now + requestWindow.future
}
