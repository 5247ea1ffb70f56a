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

export interface Transport {
  /**
   * Sends once and never repeats. Every HTTP status is an answer.
   * @throws ChannelError `network` or `timeout`; after either the request may still have arrived.
   */
  send(request: TransportRequest): Promise<TransportAnswer>
}
