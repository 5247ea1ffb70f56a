/** One scheme for the load generator: builds its requests and reads its responses. */
import type { WireResponse } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'

/** A login, a transfer, or a read. */
export type Shape = 'login' | 'post' | 'get'

export interface SchemeClient {
  /**
   * Signs and encrypts `count` new requests.
   *
   * @param content bytes of the JSON body of a POST
   */
  prepare(shape: Shape, count: number, content: number): Promise<readonly Prepared[]>
}

/** A client of a peer whose tokens or signatures expire. */
export interface PeerClient extends SchemeClient {
  /** An expired but otherwise valid request, which the peer must refuse. */
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

/** @param text of a response, opened. @throws Error unless it is the handler's. */
export function assertTransferResponse({ status }: WireResponse, text: string): void {
  const body: unknown = JSON.parse(text)
  const isDone = typeof body === 'object' && body !== null && 'status' in body && body.status === 'done'
  if (status !== 200 || !isDone) throw new Error(`answered with ${status}: ${text.slice(0, 200)}`)
}

/** Concurrent requests that keep the thread pool busy. */
const atOnce = 16

/** Makes `count` values in order, a few concurrently. */
export async function repeat<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = []
  for (let i = 0; i < count; i += atOnce) {
    const turn = Array.from({ length: Math.min(atOnce, count - i) }, (_, index) => make(i + index))
    made.push(...(await Promise.all(turn)))
  }
  return made
}
