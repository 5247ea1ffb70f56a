/** How long sockets are waited for, how they end, and how much they may hold. */

/** Milliseconds. */
export interface SocketTimes {
  /** Until a new socket must be bound to a session. */
  readonly unbound: number
  /** Between two pings. */
  readonly ping: number
  /** Without a word, and without reading what is sent. */
  readonly silence: number
  /** Between two looks at all of this. */
  readonly checkInterval: number
}

export const socketTimes: SocketTimes = {
  unbound: 15_000,
  ping: 25_000,
  silence: 60_000,
  checkInterval: 1_000,
}

/** How long a client may take to answer a close, in milliseconds. */
export const closeTimeout = 3_000

/** A close code, its reason, and for how many milliseconds answers at work are waited for. */
export interface SocketEnd {
  readonly code: number
  readonly reason: string
  readonly patience: number
}

export const ends = {
  sessionOver: { code: 4401, reason: 'session over', patience: 2_000 },
  protocolError: { code: 4400, reason: 'protocol error', patience: 0 },
  anotherSession: { code: 4400, reason: 'another session', patience: 0 },
  notBound: { code: 4400, reason: 'not bound', patience: 0 },
  tooMany: { code: 4400, reason: 'too many sockets', patience: 2_000 },
  /** What comes next is not there any more: the client subscribes anew, and is told where it stands. */
  subscribeAgain: { code: 1001, reason: 'subscribe again', patience: 2_000 },
  /** As long as a stop waits for what runs. */
  stopping: { code: 1001, reason: 'service stops', patience: 15_000 },
} as const satisfies Record<string, SocketEnd>

/**
 * Fragments of one message (RFC 6455, section 5.4). Each is kept by itself until the last one is here, and costs some hundred
 * bytes beside its own: those of one byte held twenty times what was sent.
 */
export const maxFragments = 256

/** Messages of one socket that are worked on at a time; a phone has ten requests at work at most. */
export const maxAtWork = 16

/** Bytes that one socket has not read: with more, no request of it is taken up. */
export const maxUnsent = 1_048_576

/** Bytes that one socket has not read: with more, the next event waits. They are in the outbox, so nothing is lost. */
export const maxUnsentEvents = 65_536

/** Bytes of events that are sent to one socket before it must have been heard again: it answers a ping behind them. */
export const maxUnacknowledgedBytes = 524_288

/** Told of sockets, to be counted; must not throw. */
export interface SocketObserver {
  readonly onOpen: () => void
  readonly onClose: (code: number) => void
  readonly onDelivered: () => void
}
