/** What proxies, routers and frameworks do to method, host, path and query. */
import type { CapturedRequest } from './capture.ts'
import type { Change, Part } from './material.ts'
import { splitTarget, withRequest } from './material.ts'
import type { MessageId } from './words-en.ts'

/** Query parameters whose every order is tried: 120 of them. */
const maxPermuted = 5

/** Every plausible single change of the request line. @param other a host that may be meant too */
export function targetChanges(
  { message, lines }: CapturedRequest,
  other: string | undefined,
): readonly Change[] {
  const named = (name: string): string | undefined => lines.find(([other]) => other === name)?.[1].trim()
  const { path, query } = splitTarget(message.path)
  return [
    ...methodChanges(message.method, named('x-http-method-override')),
    ...authorityChanges(message.authority, [
      ['host-other', other],
      ['host-forwarded', named('x-forwarded-host')?.split(',')[0]?.trim()],
      ['host-forwarded', /host="?([^";,\s]+)/i.exec(named('forwarded') ?? '')?.[1]],
      ['host-forwarded', named('x-original-host')],
    ]),
    ...originalTargets(named),
    ...pathChanges(path, named('x-forwarded-prefix')),
    ...queryChanges(query),
  ]
}

function change(id: MessageId, part: Part, value: string, apply: Change['apply']): Change {
  return { id, part, detail: value, apply }
}

function methodChanges(method: string, override: string | undefined): readonly Change[] {
  const set = (id: MessageId, value: string): Change =>
    change(id, 'method', value, (m) => withRequest(m, () => ({ method: value })))
  return [
    set('method-case', method.toUpperCase()),
    set('method-case', method.toLowerCase()),
    ...(override === undefined ? [] : [set('method-override', override)]),
    ...(method === 'HEAD' ? [set('method-head', 'GET')] : []),
    ...(method === 'GET' ? [set('method-head', 'HEAD')] : []),
    ...(method === 'POST' ? [] : [set('method-other', 'POST')]),
  ]
}

function authorityChanges(
  authority: string,
  others: readonly (readonly [MessageId, string | undefined])[],
): readonly Change[] {
  // With another scheme than https a port of 443 stays, and one of 80 goes.
  const set = (id: MessageId, value: string, scheme = 'https'): Change =>
    change(id, 'authority', value, (m) => withRequest(m, () => ({ authority: value, scheme })))
  const bare = authority.replace(/:[0-9]+$/, '')
  return [
    ...others.flatMap(([id, value]) => (value === undefined ? [] : [set(id, value)])),
    set('host-port-removed', bare),
    set('host-scheme', authority, 'http'),
    set('host-port-added', `${bare}:443`, 'any'),
    set('host-port-added', `${bare}:80`, 'any'),
    set('host-port-added', `${bare}:8080`),
    set('host-port-added', `${bare}:8443`),
    set('host-www', bare.startsWith('www.') ? bare.slice(4) : `www.${bare}`),
  ]
}

/** Some proxies say what the target was before they rewrote it. */
function originalTargets(named: (name: string) => string | undefined): readonly Change[] {
  return [
    'x-original-uri',
    'x-original-url',
    'x-rewrite-url',
    'x-envoy-original-path',
    'x-forwarded-uri',
  ].flatMap((name) => {
    const value = named(name)
    if (value === undefined || !value.startsWith('/')) return []
    return [change('target-original', 'path', value, (m) => withRequest(m, () => ({ path: value })))]
  })
}

/** The forms of a text that differ in percent-encoding alone. */
function encodings(text: string): readonly (readonly ['escape-case' | 'decoded' | 'encoded', string])[] {
  const lower = text.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => triplet.toLowerCase())
  const upper = text.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => triplet.toUpperCase())
  const unreserved = text.replace(/%(?:2d|2e|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/gi, decoded)
  return [
    ['escape-case', lower],
    ['escape-case', upper],
    ['decoded', unreserved],
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
  const set = (id: MessageId, value: string): Change =>
    change(id, 'path', value, (m) =>
      withRequest(m, ({ path: target }) => ({ path: `${value}${splitTarget(target).query}` })),
    )
  const segments = path.split('/')
  return [
    ...encodings(path).map(([id, value]) => set(`path-${id}`, value)),
    set('path-plus', path.replaceAll('+', '%20')),
    set('path-plus', path.replaceAll('%20', '+')),
    set('path-slash', path.endsWith('/') ? path.slice(0, -1) : `${path}/`),
    set('path-slashes', path.replace(/\/{2,}/g, '/')),
    set('path-case', path.toLowerCase()),
    set('path-suffix', path.replace(/\/index\.[a-z]+$/, '/')),
    ...(segments.length > 2 ? [set('path-prefix', `/${segments.slice(2).join('/')}`)] : []),
    ...['/api', '/v1', ...(prefix === undefined ? [] : [prefix.replace(/\/$/, '')])].map((added) =>
      set('path-prefix', `${added}${path}`),
    ),
  ]
}

function queryChanges(query: string): readonly Change[] {
  const set = (id: MessageId, value: string, detail = value): Change =>
    change(id, 'query', detail, (m) =>
      withRequest(m, ({ path: target }) => ({ path: `${splitTarget(target).path}${value}` })),
    )
  if (query === '' || query === '?') return []
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
    set('query-separator', query.replaceAll('&', '&amp;')),
    ...orders(parts).map((order) => set('query-reordered', `?${order.join('&')}`)),
    ...parts.slice(0, 30).map((part, index) => {
      const kept = parts.filter((_, other) => other !== index)
      return set('query-parameter', kept.length === 0 ? '' : `?${kept.join('&')}`, part.split('=')[0] ?? '')
    }),
  ]
}

function orders(parts: readonly string[]): readonly (readonly string[])[] {
  if (parts.length < 2) return []
  if (parts.length > maxPermuted)
    return [[...parts].sort(), [...parts].reverse(), [...parts].sort().reverse()]
  return permutations(parts).slice(1)
}

function permutations(parts: readonly string[]): readonly (readonly string[])[] {
  if (parts.length < 2) return [parts]
  return parts.flatMap((first, index) => {
    const rest = parts.filter((_, other) => other !== index)
    return permutations(rest).map((order) => [first, ...order])
  })
}
