/** The time: some usual ranges, or any. */
import { useState } from 'hono/jsx/dom'
import { useLocalization } from './locales/texts.ts'
import type { Filters } from './location.ts'

const hour = 3_600_000

const ranges = [
  ['range1h', hour],
  ['range24h', 24 * hour],
  ['range7d', 7 * 24 * hour],
  ['range30d', 30 * 24 * hour],
] as const

interface RangeChoiceProps {
  readonly words: Filters
  readonly onChoose: (words: Filters) => void
}

export function RangeChoice({ words, onChoose }: RangeChoiceProps) {
  const { translate } = useLocalization()
  const [isOpen, setOpen] = useState(false)
  const isSet = words.from !== undefined || words.to !== undefined
  const change = (event: Event): void => {
    if (!(event.currentTarget instanceof HTMLSelectElement)) return
    const { value } = event.currentTarget
    const length = ranges.find(([name]) => name === value)?.[1]
    setOpen(value === 'rangeCustom')
    if (length !== undefined) onChoose({ from: new Date(Date.now() - length).toISOString(), to: '' })
    else if (value === 'rangeAll') onChoose({ from: '', to: '' })
  }
  const chosen = isOpen || isSet ? 'rangeCustom' : 'rangeAll'
  return (
    <>
      <select aria-label={translate('range')} onChange={change} value={chosen}>
        {(['rangeAll', 'range1h', 'range24h', 'range7d', 'range30d', 'rangeCustom'] as const).map((name) => (
          <option key={name} value={name} selected={name === chosen}>
            {translate(name)}
          </option>
        ))}
      </select>
      {isOpen || isSet ? <RangeForm words={words} onChoose={onChoose} /> : null}
    </>
  )
}

function RangeForm({ words, onChoose }: RangeChoiceProps) {
  const { translate } = useLocalization()
  const submit = (event: Event): void => {
    event.preventDefault()
    const form = event.currentTarget
    if (!(form instanceof HTMLFormElement)) return
    const given = new FormData(form)
    onChoose({ from: isoOf(given.get('from')), to: isoOf(given.get('to')) })
  }
  return (
    <form class="range" onSubmit={submit}>
      <label for="from">{translate('field_from')}</label>
      <input id="from" name="from" type="datetime-local" step="1" value={localOf(words.from)} />
      <label for="to">{translate('field_to')}</label>
      <input id="to" name="to" type="datetime-local" step="1" value={localOf(words.to)} />
      <button type="submit">{translate('apply')}</button>
    </form>
  )
}

function isoOf(value: FormDataEntryValue | null): string {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? '' : new Date(at).toISOString()
}

/** As the field writes it: local, without a zone. */
function localOf(word: string | undefined): string {
  const at = Date.parse(word ?? '')
  if (Number.isNaN(at)) return ''
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return shifted.toISOString().slice(0, 19)
}
