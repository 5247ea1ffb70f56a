/** Auditors read entries below `/log`, and the log records it. */
import { expect, it } from 'vitest'
import { newAuditor } from '../../support/audit-traffic.ts'
import { disturb } from '../../support/both-databases.ts'
import { sharedService } from '../../support/hooks.ts'
import { ofKind, readLog } from '../../support/read-log.ts'

const service = sharedService()

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${service.url}${path}`, { headers })

/** The log entries about reads of entries. */
async function factsOfReads(): Promise<readonly unknown[]> {
  const reads = ofKind(await readLog(service.environment), 'audit-read')
  return reads.map(({ leaf, groups }) => ({ ...leaf.facts, ...groups.net }))
}

it('the service logs that an auditor reads entries before it serves them, once a minute for each auditor', async () => {
  const bob = await newAuditor(service, 'bob', 'reader')
  const read = (): Promise<Response> => get('/log/tile/entries/000.p/1', { authorization: `Bearer ${bob}` })
  const ofBob = async (): Promise<readonly unknown[]> =>
    (await factsOfReads()).filter((facts) => (facts as { auditor: string }).auditor === 'bob')
  expect((await get('/log/tile/0/000.p/1')).status).toBe(200)
  expect((await get('/log/tile/entries/999', { authorization: `Bearer ${bob}` })).status).toBe(404)
  expect(await ofBob()).toEqual([])
  expect((await Promise.all([read(), read(), read()])).map(({ status }) => status)).toEqual([200, 200, 200])
  const accessEntry = { auditor: 'bob', by: 'tiles', what: 'entries', forwarded: 'false', ip: '127.0.0.1' }
  expect(await ofBob()).toEqual([accessEntry])
  expect((await read()).status).toBe(200)
  expect(await ofBob()).toEqual([accessEntry])
})

it('the service serves no entries if the access cannot be logged, and logs the next access', async () => {
  const eve = await newAuditor(service, 'eve', 'reader')
  const read = (): Promise<Response> => get('/log/tile/entries/000.p/1', { authorization: `Bearer ${eve}` })
  const refuse = `create trigger no_leaf before insert on tlog_pending begin select raise(abort, 'no'); end`
  await disturb(service, refuse)
  try {
    const response = await read()
    expect(response.status).toBe(503)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect((await read()).status).toBe(503)
  } finally {
    await disturb(service, 'drop trigger no_leaf')
  }
  expect((await read()).status).toBe(200)
  expect(await factsOfReads()).toContainEqual(expect.objectContaining({ auditor: 'eve', by: 'tiles' }))
})
