/** Keyboard shortcuts, and their help dialog. */
import { useEffect, useRef } from 'hono/jsx/dom'
import { useLocalization } from './locales/localization.ts'
import { navigate, type Route } from './location.ts'

/** The last URL of the table, with its filters. */
let lastTable = '/audit'

export function useKeyboard(route: Route, setHelpOpen: (isOpen: boolean) => void): void {
  useEffect(() => {
    if (route.page === 'requests') lastTable = location.pathname + location.search
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isHelpShown()) return
      if (event.key === 'Escape') close(event, route)
      else if (!isTyping(event.target) && act(event.key, setHelpOpen)) event.preventDefault()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [route.page, location.search])
}

/** Reads the DOM: the state of the last rendering may be outdated. */
function isHelpShown(): boolean {
  return document.querySelector('dialog[open]') !== null
}

/** The last URL of the table. */
export function tableUrl(): string {
  return lastTable
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement
  )
}

function close(event: KeyboardEvent, route: Route): void {
  if (isTyping(event.target)) {
    if (event.target instanceof HTMLElement) event.target.blur()
  } else if (route.page === 'entry') navigate(lastTable)
}

function act(key: string, setHelpOpen: (isOpen: boolean) => void): boolean {
  switch (key) {
    case '/':
      document.getElementById('find')?.focus()
      return true
    case '?':
      setHelpOpen(true)
      return true
    case 'j':
      return moveRow(1)
    case 'k':
      return moveRow(-1)
    case '1':
    case '2':
    case '3':
      document.querySelectorAll<HTMLAnchorElement>('nav a')[Number(key) - 1]?.click()
      return true
    default:
      return false
  }
}

/** Moves the focus by one row. */
function moveRow(by: 1 | -1): boolean {
  const links = [...document.querySelectorAll<HTMLElement>('a.row-link')]
  const at = links.findIndex((link) => link.matches(':focus'))
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
  return next !== undefined
}

const rows = [
  [['/'], 'keyFind'],
  [['j', 'k'], 'keyRows'],
  [['Enter'], 'keyOpen'],
  [['Esc'], 'keyClose'],
  [['1', '2', '3'], 'keyPages'],
  [['?'], 'keyHelp'],
] as const

export function KeyboardHelp({ onClose }: { readonly onClose: () => void }) {
  const { translate } = useLocalization()
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  return (
    <dialog ref={dialog} class="help" onClose={onClose} aria-labelledby="keys-title">
      <h2 id="keys-title">{translate('keysTitle')}</h2>
      <dl>
        {rows.map(([keys, name]) => (
          <div key={name}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{translate(name)}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => dialog.current?.close()}>
        {translate('close')}
      </button>
    </dialog>
  )
}
