/** The download of what proves an entry to somebody else. */
import { useState } from 'hono/jsx/dom'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { useLocalization } from './locales/texts.ts'

interface EvidenceProps {
  readonly id: string
  /** Those that the entry has. */
  readonly groups: readonly GroupLabel[]
}

/** An address and a person are not in it unless they are asked for. */
const usual: readonly GroupLabel[] = ['core', 'sig', 'pay']

export function EvidenceForm({ id, groups }: EvidenceProps) {
  const { translate } = useLocalization()
  const [chosen, setChosen] = useState<readonly GroupLabel[]>(groups.filter((label) => usual.includes(label)))
  const turn = (label: GroupLabel): void =>
    setChosen((known) => (known.includes(label) ? known.filter((it) => it !== label) : [...known, label]))
  return (
    <section class="evidence">
      <h2>{translate('evidence')}</h2>
      <fieldset>
        <legend class="hint">{translate('evidenceIntro')}</legend>
        {groups.map((label) => (
          <label key={label}>
            <input type="checkbox" checked={chosen.includes(label)} onChange={() => turn(label)} />
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
