/** Shared components: request states, results, times and truncated text. */
import type { Child } from 'hono/jsx'
import type { LeafResult } from '../../store/tlog-entries.ts'
import type { ApiError, ApiResult } from './api-client.ts'
import type { MessageName } from './locales/en.ts'
import { useLocalization } from './locales/localization.ts'

export function ErrorMessage({
  error,
  onRetry,
}: {
  readonly error: ApiError
  readonly onRetry?: () => void
}) {
  const { translate, find } = useLocalization()
  const field = error.field === undefined ? '' : ` ${find(`field_${error.field}`) ?? error.field}`
  return (
    <div class="error" role="alert">
      <span>
        {translate(`problem_${error.problem}`)}
        {field}
      </span>
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          {translate('retry')}
        </button>
      )}
    </div>
  )
}

interface AnswerProps<T> {
  readonly result: ApiResult<T>
  readonly onRetry: () => void
  readonly show: (answer: T) => Child
}

/** Shows the answer of a request, or the previous one while loading. */
export function Answer<T>({ result, onRetry, show }: AnswerProps<T>) {
  const { translate } = useLocalization()
  if (result.state === 'failed') return <ErrorMessage error={result.error} onRetry={onRetry} />
  const answer = result.state === 'loaded' ? result.answer : result.previous
  if (answer === undefined)
    return (
      <p class="loading" role="status">
        {translate('loading')}
      </p>
    )
  return <div class={result.state === 'loading' ? 'stale' : ''}>{show(answer)}</div>
}

/** A result with a shape and a colour, because colour alone is not accessible. */
export function ResultMark({ result }: { readonly result: LeafResult }) {
  const { translate } = useLocalization()
  return <span class={`result ${result}`}>{translate(`result_${result}`)}</span>
}

/** A time, with milliseconds and time zone in the tooltip. */
export function Moment({ at }: { readonly at: number }) {
  const { time, exact } = useLocalization()
  return (
    <time datetime={new Date(at).toISOString()} title={exact(at)}>
      {time(at)}
    </time>
  )
}

/** A truncated text, with the full text in the tooltip. */
export function Short({ text, length = 10 }: { readonly text: string; readonly length?: number }) {
  return text.length <= length + 1 ? (
    <span class="code">{text}</span>
  ) : (
    <span class="code" title={text}>
      {text.slice(0, length)}…
    </span>
  )
}

interface TableProps {
  readonly columns: readonly MessageName[]
  /** The right-aligned columns. */
  readonly numbers: readonly MessageName[]
  readonly rows: readonly Child[]
  /** The text in place of a table without rows. */
  readonly empty: MessageName
}

export function Table({ columns, numbers, rows, empty }: TableProps) {
  const { translate } = useLocalization()
  if (rows.length === 0) return <p class="hint">{translate(empty)}</p>
  return (
    <div class="table-wrapper">
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" class={numbers.includes(column) ? 'number' : ''}>
                {translate(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows}</tbody>
      </table>
    </div>
  )
}

/** The data of the form of a `submit` event, in place of a page load. */
export function submittedForm(event: Event): FormData {
  event.preventDefault()
  return event.currentTarget instanceof HTMLFormElement ? new FormData(event.currentTarget) : new FormData()
}
