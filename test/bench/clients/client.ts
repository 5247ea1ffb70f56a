/** What a load generator knows of one scheme: how its requests are made, and how its answers are read. */
import type { Prepared } from '../load/loops.ts'

/** What is sent: a login, a transfer, a read. */
export type Shape = 'login' | 'post' | 'get'

export interface SchemeClient {
  /**
   * Makes so many requests, signed and sealed, none of them sent before.
   *
   * @param content bytes of the JSON body of a POST
   */
  prepare(shape: Shape, count: number, content: number): Promise<readonly Prepared[]>
}

/** Where a scheme's service is, and what its clients were told of it. */
export interface Target {
  /** Every process of it. */
  readonly ports: readonly number[]
  /** What the program said at its start, for its clients alone. */
  readonly secrets: Readonly<Record<string, string>>
}

/** A transfer, as JSON of exactly so many bytes. */
export function transferBody(content: number, index: number): string {
  const amount = 100 + (index % 900)
  const start = `{"payee":"u_0123456789abcdef","amount":${amount},"currency":"CNY","note":"`
  return `${start}${'x'.repeat(Math.max(0, content - start.length - 2))}"}`
}
