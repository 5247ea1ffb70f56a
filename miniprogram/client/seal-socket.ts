/** A socket of a session: sends frames, matches answers by request nonce, passes events on. */
import type { EventFrame, Frame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import { decodeJsonObject, stringMember } from 'miniseal-protocol/json'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { withDeadline } from './clock.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { clearAnswerError } from './problem.ts'
import type { FrameSocket } from './session.ts'
import type { Socket } from './transports/transport.ts'

const protocol = 'miniseal.v1'
const ABNORMAL_CLOSURE = 1006

export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

interface PendingAnswer {
  resolve(frame: Frame): void
  reject(error: ChannelError): void
}

export class SealSocket implements FrameSocket {
  /** Resolves when the socket is closed. */
  readonly ended: Promise<SocketEnd>
  private readonly environment: Environment
  private readonly maxFrame: number
  private readonly onEvent: (frame: EventFrame) => void
  private readonly pending = new Map<string, PendingAnswer>()
  private readonly opening: Promise<void>
  private readonly socket: Socket
  private end: (end: SocketEnd) => void = () => {}

  /** @param connect the transport's `connect` */
  constructor(
    environment: Environment,
    connect: NonNullable<Environment['transport']['connect']>,
    maxFrame: number,
    onEvent: (frame: EventFrame) => void,
  ) {
    this.environment = environment
    this.maxFrame = maxFrame
    this.onEvent = onEvent
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
    let opened = (): void => {}
    this.opening = new Promise((resolve) => {
      opened = resolve
    })
    const url = `${environment.origin.replace(/^http/, 'ws')}/seal`
    this.socket = connect(url, protocol, {
      opened,
      received: (message) => this.receive(message),
      closed: (code, reason) => this.finish({ code, reason }),
    })
  }

  /** Resolves when the socket is open. @throws ChannelError `network` or `timeout` */
  async open(): Promise<void> {
    const closed = this.ended.then(() => {
      throw connectionLost()
    })
    await this.withinDeadline(Promise.race([this.opening, closed]), this.environment.timeoutMs)
  }

  /** A missing answer closes the socket: after the phone slept, `onClose` may never be called. */
  post(nonce: Uint8Array, frame: Uint8Array): Promise<Frame> {
    const key = encodeBase64Url(nonce)
    const answer = new Promise<Frame>((resolve, reject) => {
      this.pending.set(key, { resolve, reject })
    })
    this.socket.send(frame)
    return this.withinDeadline(answer, this.environment.timeoutMs)
  }

  close(): void {
    this.socket.close()
    this.finish({ code: ABNORMAL_CLOSURE, reason: '' })
  }

  private async withinDeadline<T>(work: Promise<T>, milliseconds: number): Promise<T> {
    try {
      return await withDeadline(
        work,
        milliseconds,
        () => new ChannelError('timeout', 'no answer on the socket'),
      )
    } catch (error) {
      if (error instanceof ChannelError && error.code === 'timeout') this.close()
      throw error
    }
  }

  /** Attacker-controlled: a malformed frame, or an answer to no request, closes the socket. */
  private receive(message: Uint8Array): void {
    try {
      const frame = parseFrame(message, this.maxFrame)
      if (frame.kind === 'event') this.onEvent(frame)
      else if (frame.kind === 'refusal') this.rejectPending(frame.problem)
      else if (frame.kind !== 'response' || !this.resolvePending(encodeBase64Url(frame.requestNonce), frame))
        this.close()
    } catch {
      this.close()
    }
  }

  private resolvePending(key: string, frame: Frame): boolean {
    const pending = this.pending.get(key)
    this.pending.delete(key)
    pending?.resolve(frame)
    return pending !== undefined
  }

  /** An unsealed refusal of the request with the given nonce, or of all requests. A hint only. */
  private rejectPending(body: Uint8Array): void {
    const error = clearAnswerError({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body,
    })
    const key = stringMember(decodeJsonObject(body), 'request_nonce') ?? ''
    const pending = this.pending.get(key)
    if (pending === undefined) this.rejectAll(error)
    this.pending.delete(key)
    pending?.reject(error)
  }

  private rejectAll(error: ChannelError): void {
    const pending = [...this.pending.values()]
    this.pending.clear()
    for (const { reject } of pending) reject(error)
  }

  private finish(end: SocketEnd): void {
    this.end(end)
    this.rejectAll(connectionLost())
  }
}

function connectionLost(): ChannelError {
  return new ChannelError('network', 'the socket is closed')
}
