/** Pinning of the log key, and a warning when the service publishes another key. */
import { useState } from 'hono/jsx/dom'
import type { SessionAnswer } from '../api/answers.ts'
import { submittedForm } from './components.tsx'
import { findKey, pinKey, pinnedKeys } from './local-storage.ts'
import { useLocalization } from './locales/localization.ts'

export function KeyNotice({ session }: { readonly session: SessionAnswer }) {
  const { translate } = useLocalization()
  const [, setRound] = useState(0)
  const [isInvalid, setInvalid] = useState(false)
  const pinned = pinnedKeys()
  const known = new Set(pinned.map(({ vkey }) => vkey))
  const unknown = session.keys.filter((vkey) => !known.has(vkey))
  if (session.keys.length > 0 && unknown.length === 0) return null
  const pin = (vkey: string): void => {
    setInvalid(!pinKey(vkey))
    setRound((n) => n + 1)
  }
  const submit = (event: Event): void => pin(String(submittedForm(event).get('vkey') ?? '').trim())
  const isChanged = pinned.length > 0
  return (
    <section class={isChanged ? 'notice danger' : 'notice'} aria-label={translate('keyTitle')}>
      <div class="notice-text">
        <strong>{translate(isChanged ? 'keyChanged' : 'keyNone')}</strong>
        <span>{translate(isChanged ? 'keyChangedHint' : 'keyNoneHint')}</span>
      </div>
      <dl class="keys">
        {isChanged ? <KeyRow name={translate('keyPinned')} keys={pinned.map(({ vkey }) => vkey)} /> : null}
        <KeyRow name={translate('keyOfService')} keys={unknown} onPin={pin} />
      </dl>
      <form class="notice-form" onSubmit={submit}>
        <label for="vkey">{translate('keyPaste')}</label>
        <input id="vkey" name="vkey" class="code" autocomplete="off" spellcheck={false} />
        <button type="submit">{translate('keyPin')}</button>
        {isInvalid ? <span role="alert">{translate('keyWrong')}</span> : null}
      </form>
    </section>
  )
}

interface KeyRowProps {
  readonly name: string
  readonly keys: readonly string[]
  readonly onPin?: (vkey: string) => void
}

function KeyRow({ name, keys, onPin }: KeyRowProps) {
  const { translate } = useLocalization()
  return (
    <div>
      <dt>{name}</dt>
      {keys.map((vkey) => (
        <dd key={vkey}>
          <span class="code whole">{vkey}</span>
          {onPin === undefined || findKey(vkey) === undefined ? null : (
            <button type="button" onClick={() => onPin(vkey)}>
              {translate('keyPin')}
            </button>
          )}
        </dd>
      ))}
    </div>
  )
}
