/** Routing. The URL contains the whole state of a page, so that it can be shared. */
import { useEffect, useState } from 'hono/jsx/dom'
import { type FilterName, filterNames } from '../api/search.ts'

/** A route and its parameters. */
export type Route =
  | { readonly page: 'requests'; readonly filters: Filters; readonly before: string | undefined }
  | { readonly page: 'entry'; readonly id: string }
  | { readonly page: 'integrity' }
  | { readonly page: 'overview'; readonly filters: Filters }
  | { readonly page: 'not-found' }

/** The set filters. */
export type Filters = Readonly<Partial<Record<FilterName, string>>>

const navigated = 'miniseal-navigated'

/** Navigates without a page load. */
export function navigate(url: string): void {
  history.pushState(null, '', url)
  dispatchEvent(new Event(navigated))
}

/** The current route. */
export function useRoute(): Route {
  const [url, setUrl] = useState(location.href)
  useEffect(() => {
    const update = (): void => setUrl(location.href)
    addEventListener('popstate', update)
    addEventListener(navigated, update)
    return () => {
      removeEventListener('popstate', update)
      removeEventListener(navigated, update)
    }
  }, [])
  return routeOf(new URL(url))
}

function routeOf({ pathname, searchParams }: URL): Route {
  const path = pathname.replace(/\/$/, '')
  const entry = /^\/audit\/entries\/([^/]+)$/.exec(path)?.[1]
  if (entry !== undefined) return { page: 'entry', id: entry }
  const filters: Partial<Record<FilterName, string>> = {}
  for (const name of filterNames) {
    const value = searchParams.get(name)
    if (value !== null && value !== '') filters[name] = value
  }
  if (path === '/audit') return { page: 'requests', filters, before: searchParams.get('before') ?? undefined }
  if (path === '/audit/overview') return { page: 'overview', filters }
  return { page: path === '/audit/integrity' ? 'integrity' : 'not-found' }
}

/** A query string with `?`, or an empty string. */
export function queryOf(filters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filters))
    if (value !== undefined && value !== '') query.set(name, value)
  return query.size === 0 ? '' : `?${query}`
}

/** The URL of the table with filters. */
export function requestsUrl(filters: Filters, before?: string): string {
  return `/audit${queryOf({ ...filters, before })}`
}

/** Follows a link without a page load, except in a new tab. */
export function handleLinkClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const link = event.currentTarget
  if (!(link instanceof HTMLAnchorElement)) return
  event.preventDefault()
  navigate(link.href)
}
