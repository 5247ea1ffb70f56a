/** Entries as rows. */
import type { EntryRow } from '../api/answers.ts'
import { useLocalization } from './locales/texts.ts'
import { type Filters, handleLinkClick, requestsUrl } from './location.ts'
import { Moment, ResultMark, Short } from './states.tsx'

interface EntryTableProps {
  readonly rows: readonly EntryRow[]
  readonly words: Filters
  readonly label: string
}

const columns = ['time', 'kind', 'result', 'request', 'status', 'code', 'user', 'device'] as const

export function EntryTable({ rows, words, label }: EntryTableProps) {
  const { translate } = useLocalization()
  return (
    <div class="table-room">
      <table class="entries">
        <caption class="hidden">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" class={`c-${column}`}>
                {translate(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.id} row={row} words={words} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ row, words }: { readonly row: EntryRow; readonly words: Filters }) {
  const { translate, find, time } = useLocalization()
  const { core = {}, sub = {} } = row
  return (
    <tr>
      <td class="c-time">
        <a
          class="row-link"
          href={`/audit/entries/${row.id}`}
          onClick={handleLinkClick}
          aria-label={`${translate('open')} ${time(row.at)}`}
        >
          <Moment at={row.at} />
        </a>
      </td>
      <td class="c-kind">{find(`kind_${row.kind}`) ?? row.kind}</td>
      <td class="c-result">
        <ResultMark result={row.result} />
      </td>
      <td class="c-request">
        <What row={row} />
      </td>
      <td class="c-status">{core.status ?? ''}</td>
      <td class="c-code code">{row.code ?? ''}</td>
      <td class="c-user">
        <FilterLink name="user" value={sub.user} words={words} />
      </td>
      <td class="c-device">
        <FilterLink name="device" value={sub.device} words={words} />
      </td>
    </tr>
  )
}

/** Method and path; of what is no request, its facts. */
function What({ row }: { readonly row: EntryRow }) {
  const { translate } = useLocalization()
  const { core = {}, facts = {} } = row
  if (core.path !== undefined)
    return (
      <span class="what" title={String(core.path)}>
        <span class="method">{core.method}</span> {core.path}
      </span>
    )
  if (row.detail === 'erased') return <span class="erased">{translate('erasedMark')}</span>
  if (row.detail === 'damaged') return <strong class="damaged">{translate('damagedMark')}</strong>
  const text = Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ')
  return (
    <span class="what facts" title={text}>
      {text}
    </span>
  )
}

interface FilterLinkProps {
  readonly name: 'user' | 'device'
  readonly value: string | number | undefined
  readonly words: Filters
}

function FilterLink({ name, value, words }: FilterLinkProps) {
  const { translate } = useLocalization()
  if (value === undefined) return null
  const text = String(value)
  return (
    <a
      class="by"
      href={requestsUrl({ ...words, [name]: text })}
      onClick={handleLinkClick}
      tabindex={-1}
      aria-label={`${translate('filterBy')}: ${translate(name)} ${text}`}
    >
      <Short text={text} length={name === 'user' ? 10 : 8} />
    </a>
  )
}
