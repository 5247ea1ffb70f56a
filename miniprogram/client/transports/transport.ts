/** How bytes reach the service and come back: the only part that differs between phones, clouds and tools. */
export interface TransportRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly timeoutMs: number
}

/** Attacker-controlled, all of it: what is believed is inside the frame. */
export interface TransportAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What a socket tells, all of it attacker-controlled. Nothing is told after `closed`, which may never come. */
export interface SocketListener {
  opened(): void
  received(message: Uint8Array): void
  /** `code` as in RFC 6455, section 7.4; 1006 where there is none. */
  closed(code: number, reason: string): void
}

export interface Socket {
  /** Nobody says whether it arrived. */
  send(message: Uint8Array): void
  close(): void
}

export interface Transport {
  /**
   * Sends once and never repeats. Every HTTP status is an answer.
   * @throws ChannelError `network`, `interrupted` or `timeout`; after each the request may still have arrived.
   */
  send(request: TransportRequest): Promise<TransportAnswer>
  /** Opens a socket; absent where there are none. `url` begins with `wss:`, or `ws:` for a service on `http:`. */
  connect?(url: string, protocol: string, listener: SocketListener): Socket
}
