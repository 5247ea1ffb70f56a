/** HTTP exchanges with witnesses, authorities and logs, bounded in time and size. Responses are attacker-controlled. */

export interface FetchOptions extends Pick<RequestInit, 'method' | 'headers' | 'body'> {
  /** Milliseconds for the whole exchange. */
  readonly deadline: number
  /** Bytes of the response body. */
  readonly maxLength: number
}

export interface FetchedResponse {
  readonly status: number
  /** The media type without parameters; empty if missing. */
  readonly type: string
  readonly bytes: Uint8Array
}

/**
 * Fetches a URL; redirects fail.
 *
 * @param failure makes the thrown error from a short reason that is safe to store
 * @throws the error of `failure` without a complete response within the bounds
 */
export async function boundedFetch(
  url: string,
  { deadline, maxLength, ...init }: FetchOptions,
  failure: (reason: string) => Error,
): Promise<FetchedResponse> {
  let length = 0
  const parts: Uint8Array[] = []
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(deadline) })
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > maxLength) break
      parts.push(part)
    }
    const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? ''
    if (length <= maxLength)
      return { status: response.status, type, bytes: new Uint8Array(Buffer.concat(parts)) }
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    throw failure(isLate ? 'no response in time' : 'no response')
  }
  throw failure('the response is too long')
}
