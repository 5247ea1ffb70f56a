/** The overview page: entries, refusals, logins, devices and confirmations over time. */
import type { CountedSeries, OverviewAnswer } from '../api/answers.ts'
import { useApi } from './api-client.ts'
import { Chart, type Layer, resultLayers } from './chart.tsx'
import { Answer, Table } from './components.tsx'
import { RangeChoice } from './filter-bar.tsx'
import { useLocalization } from './locales/localization.ts'
import { type Filters, handleLinkClick, navigate, queryOf, requestsUrl } from './location.ts'

/** Codes with a colour of their own. */
const maxColours = 6

export function OverviewPage({ filters: { from, to } }: { readonly filters: Filters }) {
  const { translate } = useLocalization()
  const range: Filters = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
  const [result, retry] = useApi<OverviewAnswer>(`overview${queryOf(range)}`)
  const choose = (filters: Filters): void => navigate(`/audit/overview${queryOf({ ...range, ...filters })}`)
  return (
    <>
      <div class="page-head">
        <h1>{translate('overview')}</h1>
        <search class="filter-row" aria-label={translate('range')}>
          <RangeChoice filters={range} onChoose={choose} />
        </search>
      </div>
      <Answer
        result={result}
        onRetry={retry}
        show={(answer: OverviewAnswer) => <Overview answer={answer} range={range} onChoose={choose} />}
      />
    </>
  )
}

interface OverviewProps {
  readonly answer: OverviewAnswer
  readonly range: Filters
  readonly onChoose: (filters: Filters) => void
}

function Overview({ answer, range, onChoose }: OverviewProps) {
  const localization = useLocalization()
  const { translate } = localization
  const times = answer.buckets.map(({ at }) => at)
  const choose = (from: number, until: number): void =>
    onChoose({ from: new Date(from).toISOString(), to: new Date(until).toISOString() })
  const chart = (title: string, layers: readonly Layer[], height: number) => (
    <section class="chart-card">
      <h2>{title}</h2>
      <Chart
        label={title}
        times={times}
        step={answer.step}
        layers={layers}
        height={height}
        onChoose={choose}
      />
    </section>
  )
  const single = (name: 'newDevices' | 'logins' | 'stepUps', counts: readonly number[], colour: string) =>
    chart(translate(name), [{ name: translate(name), colour, counts }], 130)
  return (
    <>
      {chart(translate('overviewRequests'), resultLayers(localization, answer.buckets), 200)}
      <div class="pair wide-left">
        {chart(translate('overviewRefusals'), codeLayers(answer.refusals, translate('total')), 220)}
        <TopRefusals refusals={answer.refusals} range={range} />
      </div>
      <div class="triple">
        {single('logins', answer.logins, 'c-ok')}
        {single('newDevices', answer.devices, 'c-2')}
        {single('stepUps', answer.stepUps, 'c-3')}
      </div>
    </>
  )
}

/** The most frequent codes, and one layer for all others. */
function codeLayers(refusals: readonly CountedSeries[], rest: string): readonly Layer[] {
  const layers = refusals
    .slice(0, maxColours)
    .map(({ code, counts }, i): Layer => ({ name: code, colour: `c-${i + 1}`, counts }))
  const others = refusals.slice(maxColours)
  const [first] = others
  if (first === undefined) return layers
  const counts = first.counts.map((_, i) => others.reduce((sum, { counts: of }) => sum + (of[i] ?? 0), 0))
  return [...layers, { name: `… ${rest}`, colour: 'c-unknown', counts }]
}

interface TopRefusalsProps {
  readonly refusals: readonly CountedSeries[]
  readonly range: Filters
}

function TopRefusals({ refusals, range }: TopRefusalsProps) {
  const { translate, count } = useLocalization()
  const all = refusals.reduce((sum, { total }) => sum + total, 0)
  return (
    <section class="chart-card">
      <h2>{translate('topRefusals')}</h2>
      <Table
        columns={['code', 'total', 'share']}
        numbers={['total', 'share']}
        empty="noRefusals"
        rows={refusals.slice(0, 10).map(({ code, total }) => (
          <tr key={code}>
            <td>
              <a class="code" href={requestsUrl({ ...range, code })} onClick={handleLinkClick}>
                {code}
              </a>
            </td>
            <td class="number">{count(total)}</td>
            <td class="number">{((100 * total) / all).toFixed(1)} %</td>
          </tr>
        ))}
      />
    </section>
  )
}
