/** Which paths are the service's own: the same list for the service, which bounds them, and the client, which does not compress. */
import { expect, it } from 'vitest'
import { isOwnRoute } from '../../../crypto/http-signatures/own-routes.ts'
import { routes } from '../../../service/channel/routes/table.ts'

it('isOwnRoute accepts every documented operation and the paths below it', () => {
  for (const { path } of routes) {
    expect(isOwnRoute(path), path).toBe(true)
    expect(isOwnRoute(`${path}?a=b`), path).toBe(true)
  }
})

it.each([
  '/',
  '',
  '/wallet',
  '/sessionsx',
  '/x/sessions',
  'sessions',
  '/%73essions',
  '/Sessions',
  '/x?/sessions/',
])('isOwnRoute refuses %s', (path) => {
  expect(isOwnRoute(path)).toBe(false)
})
