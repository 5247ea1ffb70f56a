/** What proxies, routers and frameworks do to method, host, path and query. */
import type { Change, Part } from './candidate.ts'
import { firstField, otherOrders, splitTarget, withRequest } from './candidate.ts'
import type { CapturedRequest, FindingId } from './types.ts'

/** Query parameters of which every order is tried: 120 orders. */
const maxPermuted = 5

/** @param otherHost a host that the signer may have used */
export function targetChanges(
  { message, lines }: CapturedRequest,
  otherHost: string | undefined,
): readonly Change[] {
  const field = (name: string): string | undefined => firstField(lines, name)?.trim()
  const { path, query } = splitTarget(message.path)
  return [
    ...methodChanges(message.method, field('x-http-method-override')),
    ...authorityChanges(message.authority, [
      ['host-other', otherHost],
      ['host-forwarded', field('x-forwarded-host')?.split(',')[0]?.trim()],
      ['host-forwarded', /host="?([^";,\s]+)/i.exec(field('forwarded') ?? '')?.[1]],
      ['host-forwarded', field('x-original-host')],
    ]),
    ...originalTargets(field),
    ...pathChanges(path, field('x-forwarded-prefix')),
    ...queryChanges(query),
  ]
}

function change(id: FindingId, part: Part, detail: string, apply: Change['apply']): Change {
  return { id, part, detail, apply }
}

function methodChanges(method: string, override: string | undefined): readonly Change[] {
  const set = (id: FindingId, value: string): Change =>
    change(id, 'method', value, (c) => withRequest(c, () => ({ method: value })))
  return [
    set('method-case', method.toUpperCase()),
    set('method-case', method.toLowerCase()),
    ...(override === undefined ? [] : [set('method-override', override)]),
    ...['GET', 'HEAD', 'POST'].filter((other) => other !== method).map((other) => set('method-other', other)),
  ]
}

function authorityChanges(
  authority: string,
  others: readonly (readonly [FindingId, string | undefined])[],
): readonly Change[] {
  // A scheme other than https keeps the port 443, http omits the port 80.
  const set = (id: FindingId, value: string, scheme = 'https'): Change =>
    change(id, 'authority', value, (c) => withRequest(c, () => ({ authority: value, scheme })))
  const bare = authority.replace(/:[0-9]+$/, '')
  return [
    ...others.flatMap(([id, value]) => (value === undefined ? [] : [set(id, value)])),
    set('host-port-removed', bare),
    set('host-scheme', authority, 'http'),
    set('host-port-added', `${bare}:443`, 'any'),
    set('host-port-added', `${bare}:80`, 'any'),
    set('host-port-added', `${bare}:8080`),
    set('host-port-added', `${bare}:8443`),
  ]
}

/** Some proxies name the target before they rewrote it. */
function originalTargets(field: (name: string) => string | undefined): readonly Change[] {
  return ['x-original-uri', 'x-original-url', 'x-rewrite-url', 'x-envoy-original-path', 'x-forwarded-uri']
    .map(field)
    .flatMap((value) => {
      if (value === undefined || !value.startsWith('/')) return []
      return [change('target-original', 'path', value, (c) => withRequest(c, () => ({ path: value })))]
    })
}

/** The forms of a text that differ in percent-encoding alone. */
function encodings(text: string): readonly (readonly ['escape-case' | 'decoded' | 'encoded', string])[] {
  const unreserved = /%(?:2d|2e|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/gi
  return [
    ['escape-case', text.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => triplet.toLowerCase())],
    ['escape-case', text.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => triplet.toUpperCase())],
    ['decoded', text.replace(unreserved, decoded)],
    ['decoded', text.replace(/%[2-7][0-9A-Fa-f]/g, decoded)],
    ['encoded', text.replace(/%/g, '%25')],
    ['decoded', text.replace(/%25/g, '%')],
    ['encoded', text.replace(/[!'()*]/g, escaped)],
    ['encoded', text.replace(/[!$'()*,;:@|"<>[\]{}\\^`~]/g, escaped)],
    ['encoded', text.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]/g, escaped)],
  ]
}

function decoded(triplet: string): string {
  return String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function pathChanges(path: string, prefix: string | undefined): readonly Change[] {
  const set = (id: FindingId, value: string): Change =>
    change(id, 'path', value, (c) =>
      withRequest(c, ({ path: target }) => ({ path: `${value}${splitTarget(target).query}` })),
    )
  const segments = path.split('/')
  const prefixes = ['/api', '/v1', ...(prefix === undefined ? [] : [prefix.replace(/\/$/, '')])]
  return [
    ...encodings(path).map(([id, value]) => set(`path-${id}`, value)),
    set('path-plus', path.replaceAll('+', '%20')),
    set('path-plus', path.replaceAll('%20', '+')),
    set('path-slash', path.endsWith('/') ? path.slice(0, -1) : `${path}/`),
    set('path-slashes', path.replace(/\/{2,}/g, '/')),
    set('path-case', path.toLowerCase()),
    ...(segments.length > 2 ? [set('path-prefix', `/${segments.slice(2).join('/')}`)] : []),
    ...prefixes.map((added) => set('path-prefix', `${added}${path}`)),
  ]
}

function queryChanges(query: string): readonly Change[] {
  if (query === '' || query === '?') return []
  const set = (id: FindingId, value: string, detail = value): Change =>
    change(id, 'query', detail, (c) =>
      withRequest(c, ({ path: target }) => ({ path: `${splitTarget(target).path}${value}` })),
    )
  const parts = query.slice(1).split('&')
  return [
    set('query-removed', '', '?'),
    ...encodings(query).map(([id, value]) => set(`query-${id}`, value)),
    set('query-plus', query.replaceAll('+', '%20')),
    set('query-plus', query.replaceAll('%20', '+')),
    set('query-plus', query.replaceAll('+', '%2B')),
    set('query-plus', query.replaceAll(/%2B/gi, '+')),
    set('query-equals', query.replace(/=(?=&|$)/g, '')),
    set('query-equals', `?${parts.map((part) => (part.includes('=') ? part : `${part}=`)).join('&')}`),
    ...parameterOrders(parts).map((order) => set('query-reordered', `?${order.join('&')}`)),
    ...parts.slice(0, 30).map((part, index) => {
      const rest = parts.filter((_, other) => other !== index)
      return set('query-parameter', rest.length === 0 ? '' : `?${rest.join('&')}`, part.split('=')[0] ?? '')
    }),
  ]
}

function parameterOrders(parts: readonly string[]): readonly (readonly string[])[] {
  if (parts.length > maxPermuted)
    return [[...parts].sort(), [...parts].reverse(), [...parts].sort().reverse()]
  return otherOrders(parts)
}
