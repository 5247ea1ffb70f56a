/** The page of an entry: its contents, its verification and the evidence download. */
import { useEffect, useState } from 'hono/jsx/dom'
import { decodeBase64, decodeUtf8 } from 'miniseal-protocol/text'
import { type GroupLabel, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import type { AuditorRole } from '../../store/auditors.ts'
import type { EntryAnswer } from '../api/answers.ts'
import { useApi } from './api-client.ts'
import { Answer, Moment, ResultMark } from './components.tsx'
import { tableUrl } from './keyboard.tsx'
import { useLocalization } from './locales/localization.ts'
import { handleLinkClick, requestsUrl } from './location.ts'
import { VerificationPanel } from './verification-panel.tsx'

export function EntryPage({ id, role }: { readonly id: string; readonly role: AuditorRole }) {
  const { translate } = useLocalization()
  const [result, retry] = useApi<EntryAnswer>(`entries/${encodeURIComponent(id)}`)
  useEffect(() => {
    document.getElementById('content')?.focus()
  }, [id])
  return (
    <>
      <p class="back">
        <a href={tableUrl()} onClick={handleLinkClick}>
          ← {translate('back')}
        </a>
      </p>
      <Answer
        result={result}
        onRetry={retry}
        show={(answer: EntryAnswer) => (
          <div class="columns">
            <Contents answer={answer} role={role} />
            <VerificationPanel id={id} answer={answer} />
          </div>
        )}
      />
    </>
  )
}

function Contents({ answer, role }: { readonly answer: EntryAnswer; readonly role: AuditorRole }) {
  const { translate, find, count } = useLocalization()
  const { row, groups, withheld, leaf } = answer
  const { core = {} } = row
  return (
    <section class="contents">
      <header class="entry-head">
        <h1>
          {core.path === undefined ? (find(`kind_${row.kind}`) ?? row.kind) : `${core.method} ${core.path}`}
        </h1>
        <p class="entry-line">
          <ResultMark result={row.result} />
          {core.status === undefined ? null : <span>{core.status}</span>}
          {row.code === null ? null : <span class="code">{row.code}</span>}
          <Moment at={row.at} />
          <span>
            {translate('index')} {count(row.index)}
          </span>
        </p>
      </header>
      {row.detail === 'erased' ? (
        <div class="notice">
          <strong>{translate('erasedTitle')}</strong> <span>{translate('erasedIntro')}</span>
        </div>
      ) : null}
      {row.detail === 'damaged' ? (
        <div class="notice" role="alert">
          <strong>{translate('damagedMark')}</strong> <span>{translate('damagedIntro')}</span>
        </div>
      ) : null}
      {shownOrder.map((label) => {
        const group = groups[label]
        return group === undefined ? null : (
          <Members key={label} title={translate(`group_${label}`)} members={membersOf(group.value)} />
        )
      })}
      {row.facts === undefined ? null : (
        <Members title={translate('facts')} members={Object.entries(row.facts)} />
      )}
      {withheld.length === 0 ? null : (
        <p class="hint">
          {translate('withheldGroups')} {withheld.map((label) => translate(`group_${label}`)).join(', ')}
        </p>
      )}
      <h2>{translate('leaf')}</h2>
      <p class="hint">{translate('leafIntro')}</p>
      <pre class="leaf">{leafText(leaf)}</pre>
      <dl class="members">
        <div>
          <dt>{translate('leafHash')}</dt>
          <dd class="code">{row.hash}</dd>
        </div>
      </dl>
      {role === 'discloser' ? (
        <EvidenceForm id={row.id} groups={groupLabels.filter((label) => groups[label])} />
      ) : null}
    </section>
  )
}

/** Display order. */
const shownOrder: readonly GroupLabel[] = ['core', 'sub', 'pay', 'net', 'sig']

/** Shows undecodable leaves unchanged; the verification reports them. */
function leafText(leaf: string): string {
  try {
    return decodeUtf8(decodeBase64(leaf))
  } catch {
    return leaf
  }
}

interface MembersProps {
  readonly title: string
  readonly members: readonly (readonly [string, string | number])[]
}

function Members({ title, members }: MembersProps) {
  const { find } = useLocalization()
  return (
    <section class="group">
      <h2>{title}</h2>
      <dl class="members">
        {members.map(([name, member]) => (
          <div key={name}>
            <dt title={name}>{find(`member_${name}`) ?? name}</dt>
            <Member name={name} value={String(member)} />
          </div>
        ))}
      </dl>
    </section>
  )
}

function membersOf(value: string): readonly (readonly [string, string])[] {
  try {
    const members: unknown = JSON.parse(value)
    return typeof members === 'object' && members !== null
      ? Object.entries(members).map(([name, member]) => [name, String(member)] as const)
      : []
  } catch {
    return [['?', value]]
  }
}

/** Members that have a filter. */
const filterable: Readonly<Record<string, 'user' | 'device' | 'ip' | 'path' | 'code'>> = {
  user: 'user',
  device: 'device',
  ip: 'ip',
  path: 'path',
  refusal: 'code',
}

function Member({ name, value }: { readonly name: string; readonly value: string }) {
  const { translate } = useLocalization()
  const by = filterable[name]
  if (name === 'base')
    return (
      <dd>
        <pre>{value}</pre>
      </dd>
    )
  if (name === 'created' || name === 'started_at')
    return (
      <dd>
        <Moment at={Number(value) * 1_000} />
      </dd>
    )
  if (by === undefined) return <dd class={isCode(value) ? 'code' : ''}>{withUnit(name, value)}</dd>
  return (
    <dd class="code">
      {value}{' '}
      <a
        class="more"
        href={requestsUrl({ [by]: by === 'path' ? (value.split('?')[0] ?? value) : value })}
        onClick={handleLinkClick}
        aria-label={`${translate('filterBy')}: ${name}`}
        title={translate('filterBy')}
      >
        ≡
      </a>
    </dd>
  )
}

/** Adds the unit that the name implies. */
function withUnit(name: string, value: string): string {
  if (name === 'duration_ms') return `${value} ms`
  return name.endsWith('_size') ? `${value} B` : value
}

/** Whether the value is a key, a hash or an identifier. */
function isCode(value: string): boolean {
  return /^[\x21-\x7e]{12,}$/.test(value)
}

interface EvidenceProps {
  readonly id: string
  /** The groups of the entry. */
  readonly groups: readonly GroupLabel[]
}

/** Selected by default, without personal data. */
const defaultGroups: readonly GroupLabel[] = ['core', 'sig', 'pay']

function EvidenceForm({ id, groups }: EvidenceProps) {
  const { translate } = useLocalization()
  const [chosen, setChosen] = useState<readonly GroupLabel[]>(
    groups.filter((label) => defaultGroups.includes(label)),
  )
  const toggle = (label: GroupLabel): void =>
    setChosen((known) => (known.includes(label) ? known.filter((it) => it !== label) : [...known, label]))
  return (
    <section class="evidence">
      <h2>{translate('evidence')}</h2>
      <fieldset>
        <legend class="hint">{translate('evidenceIntro')}</legend>
        {groups.map((label) => (
          <label key={label}>
            <input type="checkbox" checked={chosen.includes(label)} onChange={() => toggle(label)} />
            {translate(`group_${label}`)}
          </label>
        ))}
      </fieldset>
      <a class="button" href={`/audit/api/entries/${id}/evidence?groups=${chosen.join(',')}`} download="">
        {translate('evidence')}
      </a>
    </section>
  )
}
