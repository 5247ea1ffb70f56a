/** The first page: a token, once. */
import { useState } from 'hono/jsx/dom'
import type { SessionAnswer } from '../api/answers.ts'
import { ApiError, callApi } from './api-client.ts'
import { useLocalization } from './locales/texts.ts'
import { Failure } from './states.tsx'

export function SignIn({ onSignedIn }: { readonly onSignedIn: (session: SessionAnswer) => void }) {
  const { translate } = useLocalization()
  const [failure, setFailure] = useState<ApiError | undefined>(undefined)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const form = event.currentTarget
    if (!(form instanceof HTMLFormElement)) return
    const token = String(new FormData(form).get('token') ?? '').trim()
    try {
      const body = JSON.stringify({ token })
      const headers = { 'content-type': 'application/json' }
      onSignedIn(await callApi<SessionAnswer>('session', { method: 'POST', headers, body }))
    } catch (error) {
      setFailure(error instanceof ApiError ? error : new ApiError('away'))
    }
  }
  return (
    <form class="sign-in" onSubmit={submit}>
      <h1>{translate('signIn')}</h1>
      <p>{translate('signInIntro')}</p>
      <label for="token">{translate('token')}</label>
      <input
        id="token"
        name="token"
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        autofocus
        aria-describedby="token-hint"
      />
      <p id="token-hint" class="hint">
        {translate('tokenHint')}
      </p>
      {failure === undefined ? null : <Failure failure={failure} />}
      <button type="submit" class="main">
        {translate('signIn')}
      </button>
    </form>
  )
}
