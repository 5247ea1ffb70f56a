/** Where the auditor is: path and query are the whole state of a page, so that it can be sent to a colleague. */
import { useEffect, useState } from 'hono/jsx/dom'
import { type FilterName, filterNames } from '../api/search.ts'

/** What a page is about. */
export type Route =
  | { readonly page: 'requests'; readonly words: Filters; readonly before: string | undefined }
  | { readonly page: 'entry'; readonly id: string }
  | { readonly page: 'integrity' }
  | { readonly page: 'overview'; readonly words: Filters }
  | { readonly page: 'nowhere' }

/** The words of a filter that are given. */
export type Filters = Readonly<Partial<Record<FilterName, string>>>

const moved = 'miniseal-moved'

/** Goes to another page, or to the same with another query. */
export function navigate(url: string): void {
  history.pushState(null, '', url)
  dispatchEvent(new Event(moved))
}

/** The page that the address bar names. */
export function useRoute(): Route {
  const [url, setUrl] = useState(location.href)
  useEffect(() => {
    const look = (): void => setUrl(location.href)
    addEventListener('popstate', look)
    addEventListener(moved, look)
    return () => {
      removeEventListener('popstate', look)
      removeEventListener(moved, look)
    }
  }, [])
  return routeOf(new URL(url))
}

function routeOf({ pathname, searchParams }: URL): Route {
  const path = pathname.replace(/\/$/, '')
  const entry = /^\/audit\/entries\/([^/]+)$/.exec(path)?.[1]
  if (entry !== undefined) return { page: 'entry', id: entry }
  const words: Partial<Record<FilterName, string>> = {}
  for (const name of filterNames) {
    const word = searchParams.get(name)
    if (word !== null && word !== '') words[name] = word
  }
  if (path === '/audit') return { page: 'requests', words, before: searchParams.get('before') ?? undefined }
  if (path === '/audit/overview') return { page: 'overview', words }
  return { page: path === '/audit/integrity' ? 'integrity' : 'nowhere' }
}

/** A query string with its question mark; empty for no words. */
export function queryOf(words: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, word] of Object.entries(words))
    if (word !== undefined && word !== '') query.set(name, word)
  return query.size === 0 ? '' : `?${query}`
}

/** The table with these words. */
export function requestsUrl(words: Filters, before?: string): string {
  return `/audit${queryOf({ ...words, before })}`
}

/** Follows a link without loading the shell again; a new tab stays a new tab. */
export function handleLinkClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const link = event.currentTarget
  if (!(link instanceof HTMLAnchorElement)) return
  event.preventDefault()
  navigate(link.href)
}
