/** What stands where an answer is not, and the small parts that all pages share. */
import type { Child } from 'hono/jsx'
import type { LeafResult } from '../../store/tlog-entries.ts'
import type { ApiError, ApiResult } from './api-client.ts'
import { useLocalization } from './locales/texts.ts'

export function Failure({ failure, onAgain }: { readonly failure: ApiError; readonly onAgain?: () => void }) {
  const { translate, find } = useLocalization()
  const field = failure.field === undefined ? '' : ` ${find(`field_${failure.field}`) ?? failure.field}`
  return (
    <div class="failure" role="alert">
      <span>
        {translate(`problem_${failure.problem}`)}
        {field}
      </span>
      {onAgain === undefined ? null : (
        <button type="button" onClick={onAgain}>
          {translate('again')}
        </button>
      )}
    </div>
  )
}

interface AnswerProps<T> {
  readonly apiResult: ApiResult<T>
  readonly onAgain: () => void
  readonly show: (answer: T) => Child
}

/** The answer; while it is waited for, the one before. */
export function Answer<T>({ apiResult, onAgain, show }: AnswerProps<T>) {
  const { translate } = useLocalization()
  if (apiResult.state === 'failed') return <Failure failure={apiResult.failure} onAgain={onAgain} />
  const answer = apiResult.state === 'there' ? apiResult.answer : apiResult.before
  if (answer === undefined)
    return (
      <p class="waiting" role="status">
        {translate('loading')}
      </p>
    )
  return <div class={apiResult.state === 'waiting' ? 'stale' : ''}>{show(answer)}</div>
}

/** A result with its shape and colour: colour alone says nothing to some. */
export function ResultMark({ result }: { readonly result: LeafResult }) {
  const { translate } = useLocalization()
  return <span class={`result ${result}`}>{translate(`result_${result}`)}</span>
}

/** A time with its milliseconds and zone behind it. */
export function Moment({ at }: { readonly at: number }) {
  const { time, exact } = useLocalization()
  return (
    <time datetime={new Date(at).toISOString()} title={exact(at)}>
      {time(at)}
    </time>
  )
}

/** The beginning of a long name; the whole of it behind it. */
export function Short({ text, length = 10 }: { readonly text: string; readonly length?: number }) {
  return text.length <= length + 1 ? (
    <span class="code">{text}</span>
  ) : (
    <span class="code" title={text}>
      {text.slice(0, length)}…
    </span>
  )
}
