/** One socket of one session: frames out, answers paired by the nonce of their request, events as they come. */
import type { EventFrame, Frame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { parseJsonObject, stringMember } from './json.ts'
import { clearAnswerError } from './problem.ts'
import type { FrameWire } from './session.ts'
import { withDeadline } from './timers.ts'
import type { Socket } from './transports/transport.ts'

const protocol = 'miniseal.v1'
const ABNORMAL_CLOSURE = 1006

export interface SocketEnd {
  readonly code: number
  readonly reason: string
}

interface Waiting {
  resolve(frame: Frame): void
  reject(error: ChannelError): void
}

export class SealSocket implements FrameWire {
  /** How it was closed, once it is. */
  readonly ended: Promise<SocketEnd>
  private readonly environment: Environment
  private readonly maxFrame: number
  private readonly onEvent: (frame: EventFrame) => void
  private readonly waiting = new Map<string, Waiting>()
  private readonly opening: Promise<void>
  private readonly socket: Socket
  private end: (end: SocketEnd) => void = () => {}

  /** @param connect the transport's */
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

  /** Resolves when frames can be sent. @throws ChannelError `network` or `timeout`. */
  async open(): Promise<void> {
    const closed = this.ended.then(() => {
      throw connectionLost()
    })
    await this.withinDeadline(Promise.race([this.opening, closed]), this.environment.timeoutMs)
  }

  /** A phone that slept may never hear that the socket is closed, so an answer that does not come closes it. */
  post(nonce: Uint8Array, frame: Uint8Array): Promise<Frame> {
    const name = encodeBase64Url(nonce)
    const answer = new Promise<Frame>((resolve, reject) => {
      this.waiting.set(name, { resolve, reject })
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
      return await withDeadline(work, milliseconds, () => new ChannelError('timeout', 'the socket is silent'))
    } catch (error) {
      if (error instanceof ChannelError && error.code === 'timeout') this.close()
      throw error
    }
  }

  /** Attacker-controlled: what cannot be read, or answers nothing, ends the socket. */
  private receive(message: Uint8Array): void {
    try {
      const frame = parseFrame(message, this.maxFrame)
      if (frame.kind === 'event') this.onEvent(frame)
      else if (frame.kind === 'refusal') this.refuse(frame.problem)
      else if (frame.kind !== 'response' || !this.answer(encodeBase64Url(frame.requestNonce), frame))
        this.close()
    } catch {
      this.close()
    }
  }

  private answer(name: string, frame: Frame): boolean {
    const waiting = this.waiting.get(name)
    this.waiting.delete(name)
    waiting?.resolve(frame)
    return waiting !== undefined
  }

  /** A hint in the clear, about the request whose nonce it names; without one, about all of them. */
  private refuse(body: Uint8Array): void {
    const error = clearAnswerError({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body,
    })
    const name = stringMember(parseJsonObject(body), 'request_nonce') ?? ''
    const waiting = this.waiting.get(name)
    if (waiting === undefined) this.fail(error)
    this.waiting.delete(name)
    waiting?.reject(error)
  }

  private fail(error: ChannelError): void {
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const { reject } of waiting) reject(error)
  }

  private finish(end: SocketEnd): void {
    this.end(end)
    this.fail(connectionLost())
  }
}

function connectionLost(): ChannelError {
  return new ChannelError('network', 'the socket is closed')
}
