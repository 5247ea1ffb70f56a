/** The filters: one field to find with, two lists, the time, and a chip for each word that is set. */
import { useState } from 'hono/jsx/dom'
import { leafKinds, leafResults } from 'miniseal-protocol/tlog/audit-leaf'
import { type FilterName, filterNames } from '../api/search.ts'
import { useLocalization } from './locales/texts.ts'
import { type Filters, navigate, requestsUrl } from './location.ts'
import { parseSearch } from './parse-search.ts'
import { RangeChoice } from './range-choice.tsx'

export function FilterBar({ words }: { readonly words: Filters }) {
  const { translate } = useLocalization()
  const set = (more: Filters): void => navigate(requestsUrl({ ...words, ...more }))
  return (
    <search class="filters" aria-label={translate('filters')}>
      <div class="filter-row">
        <FindField onFind={set} />
        <Choice name="kind" any={translate('anyKind')} values={leafKinds} words={words} onChoose={set} />
        <Choice
          name="result"
          any={translate('anyResult')}
          values={leafResults}
          words={words}
          onChoose={set}
        />
        <RangeChoice words={words} onChoose={set} />
      </div>
      <Chips words={words} />
    </search>
  )
}

function FindField({ onFind }: { readonly onFind: (words: Filters) => void }) {
  const { translate } = useLocalization()
  const [isUnknown, setUnknown] = useState(false)
  const submit = (event: Event): void => {
    event.preventDefault()
    const form = event.currentTarget
    if (!(form instanceof HTMLFormElement)) return
    const words = parseSearch(String(new FormData(form).get('find') ?? '').trim())
    setUnknown(words === undefined)
    if (words === undefined) return
    form.reset()
    onFind(words)
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
  readonly words: Filters
  readonly onChoose: (words: Filters) => void
}

function Choice({ name, any, values, words, onChoose }: ChoiceProps) {
  const { translate, find } = useLocalization()
  const chosen = words[name] ?? ''
  const change = (event: Event): void => {
    if (event.currentTarget instanceof HTMLSelectElement) onChoose({ [name]: event.currentTarget.value })
  }
  return (
    <select aria-label={translate(name)} onChange={change} value={chosen}>
      <option value="" selected={chosen === ''}>
        {any}
      </option>
      {values.map((value) => (
        <option key={value} value={value} selected={chosen === value}>
          {find(`${name}_${value}`) ?? value}
        </option>
      ))}
    </select>
  )
}

/** Those that have no list of their own. */
const chipNames: readonly FilterName[] = filterNames.filter((name) => name !== 'kind' && name !== 'result')

function Chips({ words }: { readonly words: Filters }) {
  const { translate, time } = useLocalization()
  const set = chipNames.flatMap((name) => {
    const word = words[name]
    return word === undefined ? [] : [{ name, word }]
  })
  if (Object.keys(words).length === 0) return null
  return (
    <ul class="chips">
      {set.map(({ name, word }) => (
        <li key={name} class="chip">
          <span class="chip-name">{translate(`field_${name}`)}</span>
          <span class="code" title={word}>
            {name === 'from' || name === 'to' ? shownTime(word, time) : word}
          </span>
          <button
            type="button"
            aria-label={`${translate('remove')}: ${translate(`field_${name}`)}`}
            onClick={() => navigate(requestsUrl({ ...words, [name]: '' }))}
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

function shownTime(word: string, time: (at: number) => string): string {
  const at = Date.parse(word)
  return Number.isNaN(at) ? word : time(at)
}
