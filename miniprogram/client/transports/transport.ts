/** The transport interface: HTTP requests and sockets of a platform. */
export interface TransportRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** Field names are lower-case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly timeoutMs: number
}

/** Attacker-controlled; only the frame inside is authenticated. */
export interface TransportAnswer {
  readonly status: number
  /** Field names are lower-case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Callbacks of a socket, with attacker-controlled data. `closed` is the last one and may never be called. */
export interface SocketListener {
  opened(): void
  received(message: Uint8Array): void
  /** `code` as in RFC 6455, section 7.4; 1006 when absent. */
  closed(code: number, reason: string): void
}

export interface Socket {
  /** Delivery is not acknowledged. */
  send(message: Uint8Array): void
  close(): void
}

export interface Transport {
  /**
   * Sends once, without retries. Resolves for every HTTP status.
   * @throws ChannelError `network`, `interrupted` or `timeout`; the request may have arrived nevertheless
   */
  send(request: TransportRequest): Promise<TransportAnswer>
  /** Opens a socket, if the platform has sockets. `url` has the scheme `wss`, or `ws` for a service on `http`. */
  connect?(url: string, protocol: string, listener: SocketListener): Socket
}
