/** Requests under way, so that the same one made again meanwhile shares the answer. */
import type { Answer } from './answer.ts'
import type { PreparedRequest, RequestOptions } from './prepared-request.ts'

export class SingleFlight {
  private readonly inFlight = new Map<string, Promise<Answer>>()

  /** The answer of the flight called `name`, or of the one that `start` begins; `undefined` is shared with nobody. */
  join(name: string | undefined, start: () => Promise<Answer>): Promise<Answer> {
    if (name === undefined) return start()
    const joined = this.inFlight.get(name)
    if (joined !== undefined) return joined
    const running = start().finally(() => {
      if (this.inFlight.get(name) === running) this.inFlight.delete(name)
    })
    this.inFlight.set(name, running)
    return running
  }

  /** After an effect: what is read from now on must not be what was asked before. */
  forgetReads(): void {
    for (const name of [...this.inFlight.keys()]) if (name.startsWith('GET')) this.inFlight.delete(name)
  }
}

/** The name under which others may join; `undefined` when each is to be sent. */
export function singleFlightKey(options: RequestOptions, { message }: PreparedRequest): string | undefined {
  const { method, path, body, headers, idempotencyKey, once = false } = options
  if (method === 'GET') return `GET ${path} ${JSON.stringify(message.fields)}`
  if (idempotencyKey === undefined && !once) return undefined
  // Bytes name themselves: as JSON every one of them would be a member.
  const content = body instanceof Uint8Array ? String(body) : JSON.stringify(body)
  return JSON.stringify([method, path, headers, idempotencyKey, content])
}
