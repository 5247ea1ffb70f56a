/** The table of entries, with filters, timeline, live updates and exports. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { AuditorRole } from '../../store/auditors.ts'
import type { EntryRow, PageAnswer, TimelineAnswer } from '../api/answers.ts'
import { callApi, useApi } from './api-client.ts'
import { Timeline } from './chart.tsx'
import { Answer, Moment, ResultMark, Short } from './components.tsx'
import { FilterBar } from './filter-bar.tsx'
import { useLocalization, zone } from './locales/localization.ts'
import { type Filters, handleLinkClick, navigate, queryOf, requestsUrl } from './location.ts'

/** Polling interval of the live table, in milliseconds. */
const tailPeriod = 4_000
/** Maximum number of added rows. */
const maxRows = 200

interface RequestsProps {
  readonly filters: Filters
  readonly before: string | undefined
  readonly role: AuditorRole
}

export function RequestsPage({ filters, before, role }: RequestsProps) {
  const { translate } = useLocalization()
  const [isLive, setLive] = useState(false)
  const [page, retry] = useApi<PageAnswer>(`entries${queryOf({ ...filters, before })}`)
  const [timeline] = useApi<TimelineAnswer>(`timeline${queryOf(filters)}`)
  const choose = (from: number, until: number): void => {
    const times = { from: new Date(from).toISOString(), to: new Date(until).toISOString() }
    navigate(requestsUrl({ ...filters, ...times }))
  }
  return (
    <>
      <h1 class="hidden">{translate('requests')}</h1>
      <FilterBar filters={filters} />
      <Answer
        result={timeline}
        onRetry={retry}
        show={(answer: TimelineAnswer) => <Timeline answer={answer} onChoose={choose} />}
      />
      <div class="actions">
        <span class="hint">
          {translate('zone')} {zone}
        </span>
        <span class="spacer" />
        {before === undefined ? (
          <label class="switch">
            <input type="checkbox" checked={isLive} onChange={() => setLive((was) => !was)} />
            {translate('live')}
          </label>
        ) : null}
        {role === 'discloser' ? <Exports filters={filters} /> : null}
      </div>
      <Answer
        result={page}
        onRetry={retry}
        show={(answer: PageAnswer) => (
          <Rows
            key={`${queryOf(filters)} ${before ?? ''}`}
            page={answer}
            filters={filters}
            isLive={isLive && before === undefined}
            isFirst={before === undefined}
          />
        )}
      />
    </>
  )
}

function Exports({ filters }: { readonly filters: Filters }) {
  const { translate } = useLocalization()
  return (
    <span class="exports">
      {translate('exportAs')}
      {(['csv', 'jsonl'] as const).map((format) => (
        <a
          key={format}
          class="button"
          href={`/audit/api/export${queryOf({ ...filters, format })}`}
          download=""
        >
          {format.toUpperCase()}
        </a>
      ))}
    </span>
  )
}

interface RowsProps {
  readonly page: PageAnswer
  readonly filters: Filters
  readonly isLive: boolean
  readonly isFirst: boolean
}

function Rows({ page, filters, isLive, isFirst }: RowsProps) {
  const { translate, count } = useLocalization()
  const newer = useTail(page, filters, isLive)
  const rows = [...newer, ...page.entries]
  if (rows.length === 0)
    return (
      <div class="empty">
        <p>{translate('nothing')}</p>
        <p class="hint">{translate('nothingHint')}</p>
      </div>
    )
  return (
    <>
      <p class="hidden" aria-live="polite">
        {newer.length === 0 ? '' : `${count(newer.length)} ${translate('liveNews')}`}
      </p>
      <EntryTable rows={rows} filters={filters} label={translate('tableLabel')} />
      <nav class="pager" aria-label={translate('tableLabel')}>
        {isFirst ? null : (
          <a class="button" href={requestsUrl(filters)} onClick={handleLinkClick}>
            {translate('newest')}
          </a>
        )}
        {page.next === null ? null : (
          <a class="button" href={requestsUrl(filters, page.next)} onClick={handleLinkClick}>
            {translate('older')}
          </a>
        )}
      </nav>
    </>
  )
}

/** The entries since the page was loaded, newest first. */
function useTail(page: PageAnswer, filters: Filters, isLive: boolean): readonly EntryRow[] {
  const [newer, setNewer] = useState<readonly EntryRow[]>([])
  const top = newer[0]?.globalIndex ?? page.entries[0]?.globalIndex ?? 0
  useEffect(() => {
    if (!isLive) return undefined
    const timer = setInterval(() => {
      if (document.hidden) return
      callApi<PageAnswer>(`entries${queryOf({ ...filters, after: String(top) })}`).then(
        ({ entries }) => {
          if (entries.length > 0) setNewer((known) => [...entries, ...known].slice(0, maxRows))
        },
        // Ignored: the next poll may succeed.
        () => undefined,
      )
    }, tailPeriod)
    return () => clearInterval(timer)
  }, [isLive, top, queryOf(filters)])
  return newer
}

interface EntryTableProps {
  readonly rows: readonly EntryRow[]
  readonly filters: Filters
  readonly label: string
}

const columns = ['time', 'kind', 'result', 'request', 'status', 'code', 'user', 'device'] as const

function EntryTable({ rows, filters, label }: EntryTableProps) {
  const { translate } = useLocalization()
  return (
    <div class="table-wrapper">
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
            <Row key={row.id} row={row} filters={filters} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ row, filters }: { readonly row: EntryRow; readonly filters: Filters }) {
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
        <Description row={row} />
      </td>
      <td class="c-status">{core.status ?? ''}</td>
      <td class="c-code code">{row.code ?? ''}</td>
      <td class="c-user">
        <FilterLink name="user" value={sub.user} filters={filters} />
      </td>
      <td class="c-device">
        <FilterLink name="device" value={sub.device} filters={filters} />
      </td>
    </tr>
  )
}

/** Method and path of a request, or the facts of another entry. */
function Description({ row }: { readonly row: EntryRow }) {
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
  readonly filters: Filters
}

function FilterLink({ name, value, filters }: FilterLinkProps) {
  const { translate } = useLocalization()
  if (value === undefined) return null
  const text = String(value)
  return (
    <a
      class="by"
      href={requestsUrl({ ...filters, [name]: text })}
      onClick={handleLinkClick}
      tabindex={-1}
      aria-label={`${translate('filterBy')}: ${translate(name)} ${text}`}
    >
      <Short text={text} length={name === 'user' ? 10 : 8} />
    </a>
  )
}
