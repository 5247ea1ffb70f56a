/** The integrity page: log health, consistency, checkpoints, witnesses and notable entries. */
import type { EntryRow, IntegrityAnswer } from '../api/answers.ts'
import { useApi } from './api-client.ts'
import { Answer, Moment, Table } from './components.tsx'
import { Consistency } from './consistency.tsx'
import { useLocalization } from './locales/localization.ts'
import { handleLinkClick } from './location.ts'

export function IntegrityPage() {
  const { translate } = useLocalization()
  const [result, retry] = useApi<IntegrityAnswer>('integrity')
  return (
    <>
      <h1>{translate('integrity')}</h1>
      <Answer
        result={result}
        onRetry={retry}
        show={(answer: IntegrityAnswer) => <Integrity answer={answer} />}
      />
    </>
  )
}

function Integrity({ answer }: { readonly answer: IntegrityAnswer }) {
  const { translate } = useLocalization()
  return (
    <>
      <div class="cards">
        <Consistency origin={answer.origin} />
        <Health answer={answer} />
        <LastVerification answer={answer} />
      </div>
      <div class="pair">
        <Checkpoints answer={answer} />
        <Witnesses answer={answer} />
      </div>
      <div class="triple">
        <Events title={translate('gaps')} intro={translate('gapsIntro')} rows={answer.gaps} />
        <Events title={translate('erasures')} rows={answer.erasures} />
        <Events title={translate('keyChanges')} rows={answer.keyChanges} />
      </div>
    </>
  )
}

function Health({ answer }: { readonly answer: IntegrityAnswer }) {
  const { translate, find, count, span } = useLocalization()
  const { health, origin, size, pending, checkpoint } = answer
  const isOpen = health === 'open'
  return (
    <section class={isOpen ? 'card passed' : 'card failed'}>
      <h2>{translate('health')}</h2>
      <p class="figure">{find(`health_${health}`) ?? `${translate('healthRefused')} ${health}`}</p>
      <p class="code">{origin}</p>
      <p>
        {count(size)} {translate('entriesUnit')}
        {pending === 0 ? '' : ` · ${count(pending)} ${translate('waiting')}`}
      </p>
      {checkpoint === null ? null : (
        <p>
          {translate('checkpointAge')}: {span(checkpoint.age ?? 0)} {translate('ago')}, {translate('atSize')}{' '}
          {count(checkpoint.size)} {translate('entriesUnit')}
        </p>
      )}
    </section>
  )
}

function LastVerification({ answer: { lastCheck } }: { readonly answer: IntegrityAnswer }) {
  const { translate, count } = useLocalization()
  return (
    <section class="card">
      <h2>{translate('lastCheck')}</h2>
      {lastCheck === null ? (
        <p class="hint">{translate('lastCheckNone')}</p>
      ) : (
        <>
          <p class="figure">
            <Moment at={lastCheck.at * 1_000} />
          </p>
          <p>
            {translate('atSize')} {count(lastCheck.size)} {translate('entriesUnit')}
          </p>
        </>
      )}
    </section>
  )
}

function Checkpoints({ answer: { checkpoints } }: { readonly answer: IntegrityAnswer }) {
  const { translate, count } = useLocalization()
  return (
    <section>
      <h2>{translate('checkpoints')}</h2>
      <Table
        columns={['signedAt', 'size', 'cosignatures', 'timestamped']}
        numbers={['size', 'cosignatures']}
        empty="none"
        rows={checkpoints.map(({ size, signedAt, cosignatures, isTimestamped }) => (
          <tr key={size}>
            <td>{signedAt === 0 ? '…' : <Moment at={signedAt * 1_000} />}</td>
            <td class="number">{count(size)}</td>
            <td class="number">{cosignatures === 0 ? '–' : count(cosignatures)}</td>
            <td>{isTimestamped ? translate('yes') : '–'}</td>
          </tr>
        ))}
      />
    </section>
  )
}

function Witnesses({ answer: { witnesses, checkpoint } }: { readonly answer: IntegrityAnswer }) {
  const { translate, count } = useLocalization()
  return (
    <section>
      <h2>{translate('witnesses')}</h2>
      <Table
        columns={['witness', 'lag', 'cosigned', 'lastTry']}
        numbers={['lag']}
        empty="witnessesNone"
        rows={witnesses.map(({ name, size, cosignedAt, triedAt, failure }) => (
          <tr key={name}>
            <td class="code">{name}</td>
            <td class="number">{count(Math.max(0, (checkpoint?.size ?? 0) - size))}</td>
            <td>{cosignedAt === null ? translate('neverYet') : <Moment at={cosignedAt * 1_000} />}</td>
            <td>
              <Moment at={triedAt * 1_000} /> {failure ?? ''}
            </td>
          </tr>
        ))}
      />
    </section>
  )
}

interface EventsProps {
  readonly title: string
  readonly intro?: string
  readonly rows: readonly EntryRow[]
}

function Events({ title, intro, rows }: EventsProps) {
  const { translate } = useLocalization()
  return (
    <section>
      <h2>{title}</h2>
      {intro === undefined ? null : <p class="hint">{intro}</p>}
      {rows.length === 0 ? <p class="hint">{translate('none')}</p> : null}
      <ul class="events">
        {rows.map((row) => (
          <li key={row.id}>
            <a href={`/audit/entries/${row.id}`} onClick={handleLinkClick}>
              <Moment at={row.at} />
            </a>{' '}
            <span>{factsOf(row)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** The facts to show for an entry. */
function factsOf({ facts = {} }: EntryRow): string {
  const { change, key, kid, n, reason } = facts
  const parts = [key, change, kid, n === undefined ? undefined : `× ${n}`, reason]
  return parts.filter((part) => part !== undefined).join(' · ')
}
