/** Services, sessions and backends that start before the tests of a file and end after them, or that one test starts. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type LoginParts, logIn, RawSession } from './raw-client.ts'
import { type OwnService, startTestService, type TestService, type TestServiceOptions } from './service.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

/**
 * Starts something before the tests of the enclosing file or `describe`, and ends it after them.
 *
 * @returns an object with a copy of its members, which are there once the tests run
 */
export function shared<T extends object>(start: () => Promise<T>, end: (started: T) => unknown): T {
  const members = {} as T
  let started: T | undefined
  beforeAll(async () => {
    started = await start()
    Object.assign(members, started)
  })
  afterAll(async () => {
    if (started !== undefined) await end(started)
  })
  return members
}

/** A service for all tests of a file. @param options a function if they depend on an earlier hook */
export function sharedService(
  options: TestServiceOptions | (() => TestServiceOptions | Promise<TestServiceOptions>) = {},
): OwnService {
  return shared(
    async () => await startTestService(typeof options === 'function' ? await options() : options),
    (service) => service.close(),
  )
}

/** A session for all tests of a file. @param service a function if an earlier hook creates it */
export function sharedSession(
  service: TestService | (() => TestService),
  parts: LoginParts = {},
): RawSession {
  const session: RawSession = Object.create(RawSession.prototype)
  beforeAll(async () => {
    Object.assign(session, await logIn(typeof service === 'function' ? service() : service, parts))
  })
  return session
}

/** A backend for all tests of a file. */
export function sharedUpstream(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): TestUpstream {
  return shared(
    () => startUpstream(answer),
    (upstream) => upstream.close(),
  )
}

/** A database for all tests of a suite. */
export function sharedDatabase<T extends { remove(): Promise<void> }>(create: () => Promise<T>): T {
  return shared(create, (database) => database.remove())
}

/** An empty folder for all tests of a file. */
export function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A service of one test, which ends with it. */
export async function ownService(options: TestServiceOptions = {}): Promise<OwnService> {
  const service = await startTestService(options)
  onTestFinished(() => service.close())
  return service
}
