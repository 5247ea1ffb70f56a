/** Asynchronous functions of `wx`: with callbacks, or with a promise if no callback is given. */

export interface ApiOptions {
  readonly success?: (result: object) => void
  readonly fail?: (failure: object) => void
  readonly complete?: (result: object) => void
}

/** A failure with WeChat's error codes. */
export class ApiFailure extends Error {
  readonly details: Readonly<Record<string, unknown>>

  constructor(reason: string, details: Readonly<Record<string, unknown>> = {}) {
    super(reason)
    this.details = details
  }
}

/**
 * Creates a function of `wx` that completes asynchronously.
 *
 * @param run returns the members of the result other than `errMsg`
 */
export function api<Options>(
  name: string,
  run: (options: Options) => unknown,
): (options?: Options & ApiOptions) => Promise<object> | undefined {
  return (options) => {
    const given = options ?? ({} as Options & ApiOptions)
    const answer = nextTask()
      .then(() => run(given))
      .then((result) => ({ ...(result as object | undefined), errMsg: `${name}:ok` }))
      .catch((error: unknown) => {
        throw failure(name, error)
      })
    if (given.success === undefined && given.fail === undefined && given.complete === undefined) return answer
    answer.then(
      (result) => callBack(given, true, result),
      (reason: object) => callBack(given, false, reason),
    )
    return undefined
  }
}

/** Calls the callbacks of a finished call. */
export function callBack({ success, fail, complete }: ApiOptions, isOk: boolean, result: object): void {
  if (isOk) success?.(result)
  else fail?.(result)
  complete?.(result)
}

/** Resolves in a later task. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

function failure(name: string, error: unknown): object {
  const reason = error instanceof Error ? error.message : String(error)
  const details = error instanceof ApiFailure ? error.details : {}
  return { ...details, errMsg: `${name}:fail ${reason}` }
}
