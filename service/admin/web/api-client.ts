/** Asking the API. Its answers are of one service and one version, so their types are taken as they are. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { AuditProblem, ProblemAnswer } from '../api/answers.ts'

/** What the API says instead of an answer; `away` when nothing was heard at all. */
export class ApiError extends Error {
  readonly problem: AuditProblem | 'away'
  readonly field: string | undefined

  constructor(problem: AuditProblem | 'away', field?: string) {
    super(problem)
    this.problem = problem
    this.field = field
  }
}

/** Dispatched when the cookie is over. */
export const signedOut = 'miniseal-signed-out'

/** @throws AskFailed */
export async function callApi<T>(path: string, options: RequestInit = {}): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/audit/api/${path}`, { ...options, credentials: 'same-origin' })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError('away')
  }
  if (!response.ok) throw await failureOf(response)
  return (response.status === 204 ? undefined : await response.json()) as T
}

async function failureOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => undefined)) as ProblemAnswer | undefined
  if (problem?.code === undefined) return new ApiError('away')
  if (problem.code === 'signed_out') dispatchEvent(new Event(signedOut))
  return new ApiError(problem.code, problem.field)
}

/** What is known of an answer. */
export type ApiResult<T> =
  | { readonly state: 'waiting'; readonly before?: T }
  | { readonly state: 'there'; readonly answer: T }
  | { readonly state: 'failed'; readonly failure: ApiError }

/** Asks once for each path, and again when `again` is called. The last answer is shown while the next is waited for. */
export function useApi<T>(path: string): readonly [ApiResult<T>, () => void] {
  const [apiResult, setAsked] = useState<ApiResult<T>>({ state: 'waiting' })
  const [round, setRound] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    setAsked((known) =>
      known.state === 'there' ? { state: 'waiting', before: known.answer } : { state: 'waiting' },
    )
    callApi<T>(path, { signal: stop.signal }).then(
      (answer) => stop.signal.aborted || setAsked({ state: 'there', answer }),
      (error) => {
        if (stop.signal.aborted) return
        setAsked({ state: 'failed', failure: error instanceof ApiError ? error : new ApiError('away') })
      },
    )
    return () => stop.abort()
  }, [path, round])
  return [apiResult, () => setRound((n) => n + 1)]
}
