/** The filter bar: a search field, lists, a time range and a chip for each filter. */
import { useState } from 'hono/jsx/dom'
import { leafKinds, leafResults } from 'miniseal-protocol/tlog/audit-leaf'
import { type FilterName, filterNames } from '../api/search.ts'
import { submittedForm } from './components.tsx'
import { useLocalization } from './locales/localization.ts'
import { type Filters, navigate, requestsUrl } from './location.ts'

export function FilterBar({ filters }: { readonly filters: Filters }) {
  const { translate } = useLocalization()
  const set = (more: Filters): void => navigate(requestsUrl({ ...filters, ...more }))
  return (
    <search class="filters" aria-label={translate('filters')}>
      <div class="filter-row">
        <FindField onFind={set} />
        <Choice name="kind" any={translate('anyKind')} values={leafKinds} filters={filters} onChoose={set} />
        <Choice
          name="result"
          any={translate('anyResult')}
          values={leafResults}
          filters={filters}
          onChoose={set}
        />
        <RangeChoice filters={filters} onChoose={set} />
      </div>
      <Chips filters={filters} />
    </search>
  )
}

function FindField({ onFind }: { readonly onFind: (filters: Filters) => void }) {
  const { translate } = useLocalization()
  const [isUnknown, setUnknown] = useState(false)
  const submit = (event: Event): void => {
    const filters = parseSearch(String(submittedForm(event).get('find') ?? '').trim())
    setUnknown(filters === undefined)
    if (filters === undefined) return
    if (event.currentTarget instanceof HTMLFormElement) event.currentTarget.reset()
    onFind(filters)
  }
  return (
    <form class="find" onSubmit={submit}>
      <label for="find" class="hidden">
        {translate('find')}
      </label>
      <input
        id="find"
        name="find"
        type="search"
        placeholder={translate('findHint')}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={isUnknown}
        aria-describedby="find-problem"
      />
      <kbd>/</kbd>
      <span id="find-problem" class="find-problem" role="status">
        {isUnknown ? translate('findProblem') : ''}
      </span>
    </form>
  )
}

interface ChoiceProps {
  readonly name: 'kind' | 'result'
  readonly any: string
  readonly values: readonly string[]
  readonly filters: Filters
  readonly onChoose: (filters: Filters) => void
}

function Choice({ name, any, values, filters, onChoose }: ChoiceProps) {
  const { translate, find } = useLocalization()
  return (
    <Select
      label={translate(name)}
      value={filters[name] ?? ''}
      options={[['', any], ...values.map((value) => [value, find(`${name}_${value}`) ?? value] as const)]}
      onChange={(value) => onChoose({ [name]: value })}
    />
  )
}

interface SelectProps {
  readonly label: string
  readonly value: string
  /** Values with their texts. */
  readonly options: readonly (readonly [string, string])[]
  readonly onChange: (value: string) => void
}

function Select({ label, value: chosen, options, onChange }: SelectProps) {
  const change = (event: Event): void => {
    if (event.currentTarget instanceof HTMLSelectElement) onChange(event.currentTarget.value)
  }
  return (
    <select aria-label={label} onChange={change} value={chosen}>
      {options.map(([value, text]) => (
        <option key={value} value={value} selected={value === chosen}>
          {text}
        </option>
      ))}
    </select>
  )
}

/** Filters without a list. */
const chipNames: readonly FilterName[] = filterNames.filter((name) => name !== 'kind' && name !== 'result')

function Chips({ filters }: { readonly filters: Filters }) {
  const { translate, time } = useLocalization()
  const set = chipNames.flatMap((name) => {
    const value = filters[name]
    return value === undefined ? [] : [{ name, value }]
  })
  if (Object.keys(filters).length === 0) return null
  return (
    <ul class="chips">
      {set.map(({ name, value }) => (
        <li key={name} class="chip">
          <span class="chip-name">{translate(`field_${name}`)}</span>
          <span class="code" title={value}>
            {name === 'from' || name === 'to' ? shownTime(value, time) : value}
          </span>
          <button
            type="button"
            aria-label={`${translate('remove')}: ${translate(`field_${name}`)}`}
            onClick={() => navigate(requestsUrl({ ...filters, [name]: '' }))}
          >
            ×
          </button>
        </li>
      ))}
      <li>
        <button type="button" class="plain" onClick={() => navigate('/audit')}>
          {translate('clearAll')}
        </button>
      </li>
    </ul>
  )
}

function shownTime(value: string, time: (at: number) => string): string {
  const at = Date.parse(value)
  return Number.isNaN(at) ? value : time(at)
}

const hour = 3_600_000

/** Milliseconds, by the name of the range. */
const ranges: ReadonlyMap<string, number> = new Map([
  ['range1h', hour],
  ['range24h', 24 * hour],
  ['range7d', 7 * 24 * hour],
  ['range30d', 30 * 24 * hour],
])

const rangeNames = ['rangeAll', 'range1h', 'range24h', 'range7d', 'range30d', 'rangeCustom'] as const

interface RangeChoiceProps {
  readonly filters: Filters
  readonly onChoose: (filters: Filters) => void
}

export function RangeChoice({ filters, onChoose }: RangeChoiceProps) {
  const { translate } = useLocalization()
  const [isOpen, setOpen] = useState(false)
  const isSet = filters.from !== undefined || filters.to !== undefined
  const change = (value: string): void => {
    const length = ranges.get(value)
    setOpen(value === 'rangeCustom')
    if (length !== undefined) onChoose({ from: new Date(Date.now() - length).toISOString(), to: '' })
    else if (value === 'rangeAll') onChoose({ from: '', to: '' })
  }
  return (
    <>
      <Select
        label={translate('range')}
        value={isOpen || isSet ? 'rangeCustom' : 'rangeAll'}
        options={rangeNames.map((name) => [name, translate(name)] as const)}
        onChange={change}
      />
      {isOpen || isSet ? <RangeForm filters={filters} onChoose={onChoose} /> : null}
    </>
  )
}

function RangeForm({ filters, onChoose }: RangeChoiceProps) {
  const { translate } = useLocalization()
  const submit = (event: Event): void => {
    const form = submittedForm(event)
    onChoose({ from: isoOf(form.get('from')), to: isoOf(form.get('to')) })
  }
  return (
    <form class="range" onSubmit={submit}>
      <label for="from">{translate('field_from')}</label>
      <input id="from" name="from" type="datetime-local" step="1" value={localOf(filters.from)} />
      <label for="to">{translate('field_to')}</label>
      <input id="to" name="to" type="datetime-local" step="1" value={localOf(filters.to)} />
      <button type="submit">{translate('apply')}</button>
    </form>
  )
}

function isoOf(value: FormDataEntryValue | null): string {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? '' : new Date(at).toISOString()
}

/** The format of `datetime-local`. */
function localOf(value: string | undefined): string {
  const at = Date.parse(value ?? '')
  if (Number.isNaN(at)) return ''
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return shifted.toISOString().slice(0, 19)
}

const patterns: readonly (readonly [FilterName, RegExp])[] = [
  ['receipt', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['receipt', /^:?[A-Za-z0-9_+/-]{43}=?:?$/],
  ['receipt', /^[0-9a-f]{64}$/],
  ['user', /^u_[\x21-\x7e]+$/],
  ['path', /^\/\S*$/],
  ['ip', /^\d{1,3}(\.\d{1,3}){3}$/],
  ['ip', /^[0-9a-f:]*:[0-9a-f:.]+$/i],
  ['code', /^[a-z0-9]+(_[a-z0-9]+)*$/],
]

/** Parses the search field: `name:value`, or a value that identifies its filter. The service validates it again. */
function parseSearch(input: string): Filters | undefined {
  const [, named = '', value = ''] = /^([a-z]+):\s*(.+)$/.exec(input) ?? []
  const name = filterNames.find((known) => known === named)
  if (name !== undefined) return { [name]: value }
  const match = patterns.find(([, pattern]) => pattern.test(input))
  return match === undefined ? undefined : { [match[0]]: match[0] === 'ip' ? input.toLowerCase() : input }
}
