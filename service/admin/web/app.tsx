/** Entry point of the audit pages: session, sign-in, navigation and routing. */
import { render, useEffect, useState } from 'hono/jsx/dom'
import type { SessionAnswer } from '../api/answers.ts'
import { ApiError, callApi, signedOut } from './api-client.ts'
import { ErrorMessage, submittedForm } from './components.tsx'
import { EntryPage } from './entry.tsx'
import { IntegrityPage } from './integrity.tsx'
import { KeyNotice } from './key-notice.tsx'
import { KeyboardHelp, useKeyboard } from './keyboard.tsx'
import { type Language, storedLanguage, storeLanguage } from './local-storage.ts'
import { LocalizationProvider, localizationOf, useLocalization } from './locales/localization.ts'
import { handleLinkClick, type Route, useRoute } from './location.ts'
import { OverviewPage } from './overview.tsx'
import { RequestsPage } from './requests.tsx'

type Session = SessionAnswer | 'unknown' | 'none'

function App() {
  const [language, setLanguage] = useState<Language>(storedLanguage())
  const [session, setSession] = useState<Session>('unknown')
  useEffect(() => {
    callApi<SessionAnswer>('session').then(setSession, () => setSession('none'))
    const onSignedOut = (): void => setSession('none')
    addEventListener(signedOut, onSignedOut)
    return () => removeEventListener(signedOut, onSignedOut)
  }, [])
  const localization = localizationOf(language)
  useEffect(() => {
    document.documentElement.lang = language
    document.title = `${localization.translate('title')} · Miniseal`
  }, [language])
  const switchLanguage = (): void => {
    const other = language === 'en' ? 'zh-CN' : 'en'
    storeLanguage(other)
    setLanguage(other)
  }
  return (
    <LocalizationProvider value={localization}>
      <Frame session={session} onSwitchLanguage={switchLanguage} onSession={setSession} />
    </LocalizationProvider>
  )
}

interface FrameProps {
  readonly session: Session
  readonly onSwitchLanguage: () => void
  readonly onSession: (session: Session) => void
}

function Frame({ session, onSwitchLanguage, onSession }: FrameProps) {
  const { translate } = useLocalization()
  const route = useRoute()
  const [isHelpOpen, setHelpOpen] = useState(false)
  useKeyboard(route, setHelpOpen)
  if (session === 'unknown') return <p class="starting">{translate('loading')}</p>
  const signOut = async (): Promise<void> => {
    await callApi('session', { method: 'DELETE' }).catch(() => undefined)
    onSession('none')
  }
  return (
    <>
      <a class="skip" href="#content">
        {translate('toContent')}
      </a>
      <header class="top">
        <span class="brand">Miniseal</span>
        {session === 'none' ? null : <Navigation route={route} />}
        <span class="spacer" />
        {session === 'none' ? null : (
          <>
            <span class="auditor">
              {session.name}{' '}
              <span class="role">
                {translate(session.role === 'discloser' ? 'roleDiscloser' : 'roleReader')}
              </span>
            </span>
            <button type="button" class="plain" onClick={() => setHelpOpen(true)}>
              {translate('help')} <kbd>?</kbd>
            </button>
          </>
        )}
        <button type="button" class="plain" onClick={onSwitchLanguage} title={translate('switchLanguage')}>
          {translate('otherLanguage')}
        </button>
        {session === 'none' ? null : (
          <button type="button" class="plain" onClick={signOut}>
            {translate('signOut')}
          </button>
        )}
      </header>
      <main id="content" tabindex={-1}>
        {session === 'none' ? <SignIn onSignedIn={onSession} /> : <Page route={route} session={session} />}
      </main>
      {isHelpOpen ? <KeyboardHelp onClose={() => setHelpOpen(false)} /> : null}
    </>
  )
}

const pages = [
  ['requests', '/audit'],
  ['overview', '/audit/overview'],
  ['integrity', '/audit/integrity'],
] as const

function Navigation({ route }: { readonly route: Route }) {
  const { translate } = useLocalization()
  return (
    <nav>
      {pages.map(([page, url]) => (
        <a
          key={page}
          href={url}
          onClick={handleLinkClick}
          {...(route.page === page ? { 'aria-current': 'page' } : {})}
        >
          {translate(page)}
        </a>
      ))}
    </nav>
  )
}

function Page({ route, session }: { readonly route: Route; readonly session: SessionAnswer }) {
  const { translate } = useLocalization()
  return (
    <>
      <KeyNotice session={session} />
      {route.page === 'requests' ? (
        <RequestsPage filters={route.filters} before={route.before} role={session.role} />
      ) : null}
      {route.page === 'entry' ? <EntryPage key={route.id} id={route.id} role={session.role} /> : null}
      {route.page === 'integrity' ? <IntegrityPage /> : null}
      {route.page === 'overview' ? <OverviewPage filters={route.filters} /> : null}
      {route.page === 'not-found' ? <p class="empty">{translate('notFound')}</p> : null}
    </>
  )
}

function SignIn({ onSignedIn }: { readonly onSignedIn: (session: SessionAnswer) => void }) {
  const { translate } = useLocalization()
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const submit = async (event: Event): Promise<void> => {
    const token = String(submittedForm(event).get('token') ?? '').trim()
    try {
      const body = JSON.stringify({ token })
      const headers = { 'content-type': 'application/json' }
      onSignedIn(await callApi<SessionAnswer>('session', { method: 'POST', headers, body }))
    } catch (cause) {
      setError(cause instanceof ApiError ? cause : new ApiError('unreachable'))
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
      {error === undefined ? null : <ErrorMessage error={error} />}
      <button type="submit" class="main">
        {translate('signIn')}
      </button>
    </form>
  )
}

const root = document.getElementById('app')
if (root !== null) render(<App />, root)
