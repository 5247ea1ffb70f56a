/** The table of entries, with its filters, its timeline, and what comes in while it is looked at. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { AuditorRole } from '../../store/auditors.ts'
import type { EntryRow, PageAnswer, TimelineAnswer } from '../api/answers.ts'
import { callApi, useApi } from './api-client.ts'
import { EntryTable } from './entry-table.tsx'
import { FilterBar } from './filter-bar.tsx'
import { useLocalization, zone } from './locales/texts.ts'
import { type Filters, handleLinkClick, navigate, queryOf, requestsUrl } from './location.ts'
import { Answer } from './states.tsx'
import { Timeline } from './timeline.tsx'

/** Between two looks of a live table, in milliseconds. */
const tailPeriod = 4_000
/** Rows that a live table keeps. */
const maxRows = 200

interface RequestsProps {
  readonly words: Filters
  readonly before: string | undefined
  readonly role: AuditorRole
}

export function RequestsPage({ words, before, role }: RequestsProps) {
  const { translate } = useLocalization()
  const [isLive, setLive] = useState(false)
  const [page, askAgain] = useApi<PageAnswer>(`entries${queryOf({ ...words, before })}`)
  const [timeline] = useApi<TimelineAnswer>(`timeline${queryOf(words)}`)
  const choose = (from: number, until: number): void => {
    const times = { from: new Date(from).toISOString(), to: new Date(until).toISOString() }
    navigate(requestsUrl({ ...words, ...times }))
  }
  return (
    <>
      <h1 class="hidden">{translate('requests')}</h1>
      <FilterBar words={words} />
      <Answer
        apiResult={timeline}
        onAgain={askAgain}
        show={(answer: TimelineAnswer) => <Timeline answer={answer} onChoose={choose} />}
      />
      <div class="actions">
        <span class="hint">
          {translate('zone')} {zone}
        </span>
        <span class="room" />
        {before === undefined ? (
          <label class="switch">
            <input type="checkbox" checked={isLive} onChange={() => setLive((was) => !was)} />
            {translate('live')}
          </label>
        ) : null}
        {role === 'discloser' ? <Exports words={words} /> : null}
      </div>
      <Answer
        apiResult={page}
        onAgain={askAgain}
        show={(answer: PageAnswer) => (
          <Rows
            key={`${queryOf(words)} ${before ?? ''}`}
            page={answer}
            words={words}
            isLive={isLive && before === undefined}
            isFirst={before === undefined}
          />
        )}
      />
    </>
  )
}

function Exports({ words }: { readonly words: Filters }) {
  const { translate } = useLocalization()
  return (
    <span class="exports">
      {translate('exportAs')}
      {(['csv', 'jsonl'] as const).map((format) => (
        <a key={format} class="button" href={`/audit/api/export${queryOf({ ...words, format })}`} download="">
          {format.toUpperCase()}
        </a>
      ))}
    </span>
  )
}

interface RowsProps {
  readonly page: PageAnswer
  readonly words: Filters
  readonly isLive: boolean
  readonly isFirst: boolean
}

function Rows({ page, words, isLive, isFirst }: RowsProps) {
  const { translate, count } = useLocalization()
  const newer = useTail(page, words, isLive)
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
      <EntryTable rows={rows} words={words} label={translate('tableLabel')} />
      <nav class="pager" aria-label={translate('tableLabel')}>
        {isFirst ? null : (
          <a class="button" href={requestsUrl(words)} onClick={handleLinkClick}>
            {translate('newest')}
          </a>
        )}
        {page.next === null ? null : (
          <a class="button" href={requestsUrl(words, page.next)} onClick={handleLinkClick}>
            {translate('older')}
          </a>
        )}
      </nav>
    </>
  )
}

/** What has come since the page was loaded, the newest first. */
function useTail(page: PageAnswer, words: Filters, isLive: boolean): readonly EntryRow[] {
  const [newer, setNewer] = useState<readonly EntryRow[]>([])
  const top = newer[0]?.globalIndex ?? page.entries[0]?.globalIndex ?? 0
  useEffect(() => {
    if (!isLive) return undefined
    const timer = setInterval(() => {
      if (document.hidden) return
      callApi<PageAnswer>(`entries${queryOf({ ...words, after: String(top) })}`).then(
        ({ entries }) => {
          if (entries.length > 0) setNewer((known) => [...entries, ...known].slice(0, maxRows))
        },
        // The next look may succeed; the table stays as it is.
        () => undefined,
      )
    }, tailPeriod)
    return () => clearInterval(timer)
  }, [isLive, top, queryOf(words)])
  return newer
}
