/** The API client. Pages and API are deployed together, so answers are not validated. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { AuditProblem, ProblemAnswer } from '../api/answers.ts'

/** An error of the API; `unreachable` when there was no answer. */
export class ApiError extends Error {
  readonly problem: AuditProblem | 'unreachable'
  readonly field: string | undefined

  constructor(problem: AuditProblem | 'unreachable', field?: string) {
    super(problem)
    this.problem = problem
    this.field = field
  }
}

/** Dispatched when the session has expired. */
export const signedOut = 'miniseal-signed-out'

/** @throws ApiError */
export async function callApi<T>(path: string, options: RequestInit = {}): Promise<T> {
  let response: Response
  try {
    response = await fetch(`/audit/api/${path}`, { ...options, credentials: 'same-origin' })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError('unreachable')
  }
  if (!response.ok) throw await failureOf(response)
  return (response.status === 204 ? undefined : await response.json()) as T
}

async function failureOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => undefined)) as ProblemAnswer | undefined
  if (problem?.code === undefined) return new ApiError('unreachable')
  if (problem.code === 'signed_out') dispatchEvent(new Event(signedOut))
  return new ApiError(problem.code, problem.field)
}

/** The state of a request. */
export type ApiResult<T> =
  | { readonly state: 'loading'; readonly previous?: T }
  | { readonly state: 'loaded'; readonly answer: T }
  | { readonly state: 'failed'; readonly error: ApiError }

/** Loads `path`, and reloads when the returned function is called. Keeps the previous answer while loading. */
export function useApi<T>(path: string): readonly [ApiResult<T>, () => void] {
  const [result, setResult] = useState<ApiResult<T>>({ state: 'loading' })
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const controller = new AbortController()
    setResult((current) =>
      current.state === 'loaded' ? { state: 'loading', previous: current.answer } : { state: 'loading' },
    )
    callApi<T>(path, { signal: controller.signal }).then(
      (answer) => controller.signal.aborted || setResult({ state: 'loaded', answer }),
      (error) => {
        if (controller.signal.aborted) return
        setResult({ state: 'failed', error: error instanceof ApiError ? error : new ApiError('unreachable') })
      },
    )
    return () => controller.abort()
  }, [path, attempt])
  return [result, () => setAttempt((n) => n + 1)]
}
