/** A service with a full disk, simulated with `prlimit`. */
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import { expect, it, vi } from 'vitest'
import { logIn } from '../../support/raw-client.ts'
import { ofKind, readLog } from '../../support/read-log.ts'
import { freePort, startServiceProcess } from '../../support/service-process.ts'

/** Limits the size of the process's files. */
const limitFiles = (pid: number, bytes: number | 'unlimited'): void => {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])
}
const ignoreSignal = `--import=data:text/javascript,process.on('SIGXFSZ',()=>{})`

const token = 'metrics-of-the-operator'

async function metricsOf(origin: string): Promise<string> {
  const answer = await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  return await answer.text()
}

it('a full disk stops effects, and the log resumes with a gap entry', async () => {
  let effects = 0
  const port = await freePort()
  const backend = createServer((_request, response) => {
    effects += 1
    response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => backend.listen(port, '127.0.0.1', resolve))
  const killed = await startServiceProcess({
    MINISEAL_UPSTREAMS: `/pay=http://127.0.0.1:${port}`,
    NODE_OPTIONS: ignoreSignal,
  })
  try {
    const session = await logIn(killed.service)
    const pay = (key: string) => session.send({ method: 'POST', path: '/pay/1', body: {}, key })
    expect((await pay('before')).status).toBe(201)
    limitFiles(killed.pid(), 4_096)
    for (const key of ['during-1', 'during-2']) {
      expect(await pay(key)).toMatchObject({ status: 503, json: { code: 'unavailable' } })
    }
    expect(effects).toBe(1)
    limitFiles(killed.pid(), 'unlimited')
    expect((await pay('during-1')).status).toBe(201)
    expect(effects).toBe(2)
    const leaves = await readLog(killed.service.environment)
    expect(ofKind(leaves, 'gap').map(({ leaf }) => leaf.facts?.n)).toEqual([2])
    expect(ofKind(leaves, 'request').map(({ groups }) => groups.core?.status)).toEqual([201, 201])
  } finally {
    await killed.close()
    backend.closeAllConnections()
    backend.close()
  }
}, 120_000)

it('metrics show a full disk: miniseal_tlog_accepting_entries and the error code of the database', async () => {
  const killed = await startServiceProcess({
    MINISEAL_METRICS_TOKEN: token,
    NODE_OPTIONS: ignoreSignal,
  })
  try {
    const payer = await logIn(killed.service)
    expect(await metricsOf(killed.service.origin)).toContain('miniseal_tlog_accepting_entries 1')
    limitFiles(killed.pid(), 4_096)
    const refused = await payer.send({ method: 'POST', path: '/wallet/transfers', body: {} })
    expect(refused.json.code).toBe('unavailable')
    const text = await metricsOf(killed.service.origin)
    expect(text).toContain('miniseal_tlog_accepting_entries 0')
    expect(text).toMatch(/miniseal_store_errors_total\{code="(?:SQLITE_[A-Z_]+|EFBIG)"\} [1-9]/)
    limitFiles(killed.pid(), 'unlimited')
    await vi.waitFor(async () =>
      expect(await metricsOf(killed.service.origin)).toContain('miniseal_tlog_accepting_entries 1'),
    )
  } finally {
    await killed.close()
  }
}, 120_000)
