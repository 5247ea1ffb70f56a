/** The frame of the pages: who is signed in, where they are, the log's key, the keyboard. */
import { useEffect, useState } from 'hono/jsx/dom'
import type { SessionAnswer } from '../api/answers.ts'
import { callApi, signedOut } from './api-client.ts'
import { EntryPage } from './entry.tsx'
import { IntegrityPage } from './integrity.tsx'
import { KeyNotice } from './key-notice.tsx'
import { KeyboardHelp, useKeyboard } from './keyboard.tsx'
import { LocalizationProvider, localizationOf, useLocalization } from './locales/texts.ts'
import { handleLinkClick, type Route, useRoute } from './location.ts'
import { OverviewPage } from './overview.tsx'
import { type Language, storedLanguage, storeLanguage } from './remembered.ts'
import { RequestsPage } from './requests.tsx'
import { SignIn } from './sign-in.tsx'

type Session = SessionAnswer | 'unknown' | 'none'

export function App() {
  const [language, setLanguage] = useState<Language>(storedLanguage())
  const [session, setSession] = useState<Session>('unknown')
  useEffect(() => {
    callApi<SessionAnswer>('session').then(setSession, () => setSession('none'))
    const leave = (): void => setSession('none')
    addEventListener(signedOut, leave)
    return () => removeEventListener(signedOut, leave)
  }, [])
  const words = localizationOf(language)
  useEffect(() => {
    document.documentElement.lang = language
    document.title = `${words.translate('title')} · Miniseal`
  }, [language])
  const turn = (): void => {
    const other = language === 'en' ? 'zh-CN' : 'en'
    storeLanguage(other)
    setLanguage(other)
  }
  return (
    <LocalizationProvider value={words}>
      <Frame session={session} onTurn={turn} onSession={setSession} />
    </LocalizationProvider>
  )
}

interface FrameProps {
  readonly session: Session
  readonly onTurn: () => void
  readonly onSession: (session: Session) => void
}

function Frame({ session, onTurn, onSession }: FrameProps) {
  const { translate } = useLocalization()
  const route = useRoute()
  const [isHelpOpen, setHelpOpen] = useState(false)
  useKeyboard(route, setHelpOpen)
  if (session === 'unknown') return <p class="starting">{translate('loading')}</p>
  const leave = async (): Promise<void> => {
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
        <span class="room" />
        {session === 'none' ? null : (
          <>
            <span class="who">
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
        <button type="button" class="plain" onClick={onTurn} title={translate('switchLanguage')}>
          {translate('otherLanguage')}
        </button>
        {session === 'none' ? null : (
          <button type="button" class="plain" onClick={leave}>
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
        <RequestsPage words={route.words} before={route.before} role={session.role} />
      ) : null}
      {route.page === 'entry' ? <EntryPage key={route.id} id={route.id} role={session.role} /> : null}
      {route.page === 'integrity' ? <IntegrityPage /> : null}
      {route.page === 'overview' ? <OverviewPage words={route.words} /> : null}
      {route.page === 'nowhere' ? <p class="empty">{translate('nowhere')}</p> : null}
    </>
  )
}
