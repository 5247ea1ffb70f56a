/** One scheme for the load generator: builds its requests and reads its responses. */
import type { WireAnswer } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'

/** A login, a transfer, or a read. */
export type Shape = 'login' | 'post' | 'get'

export interface SchemeClient {
  /**
   * Signs and seals this many new requests.
   *
   * @param content bytes of the JSON body of a POST
   */
  prepare(shape: Shape, count: number, content: number): Promise<readonly Prepared[]>
}

/** A client of a peer that has tokens or times which end. */
export interface PeerClient extends SchemeClient {
  /** A request that is right but for its time: its peer must refuse it. */
  expired(): Promise<Prepared>
}

/** The address of a scheme's service and the credentials of its clients. */
export interface Target {
  /** Every process of it. */
  readonly ports: readonly number[]
  /** Output of the program at its start, for its clients. */
  readonly secrets: Readonly<Record<string, string>>
}

/** A transfer, as JSON of exactly `content` bytes. */
export function transferBody(content: number, index: number): string {
  const amount = 100 + (index % 900)
  const start = `{"payee":"u_0123456789abcdef","amount":${amount},"currency":"CNY","note":"`
  return `${start}${'x'.repeat(Math.max(0, content - start.length - 2))}"}`
}

/** @param text of an answer, opened. @throws Error unless it is the handler's. */
export function assertTransferAnswer({ status }: WireAnswer, text: string): void {
  const body: unknown = JSON.parse(text)
  const isDone = typeof body === 'object' && body !== null && 'status' in body && body.status === 'done'
  if (status !== 200 || !isDone) throw new Error(`answered with ${status}: ${text.slice(0, 200)}`)
}

/** As many at a time as keep the thread pool busy. */
const atOnce = 16

/** Makes `count` of them in order, a few at a time. */
export async function repeat<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = []
  for (let i = 0; i < count; i += atOnce) {
    const turn = Array.from({ length: Math.min(atOnce, count - i) }, (_, index) => make(i + index))
    made.push(...(await Promise.all(turn)))
  }
  return made
}
