/** Requests of two users, and auditor accounts. */
import { setTimeout as wait } from 'node:timers/promises'
import { accountKeyOf, addAuditor } from '../../service/admin/api/accounts.ts'
import { readOperatorPaths } from '../../service/config/environment.ts'
import { openKeyring } from '../../service/keys/keyring.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import type { AuditorRole } from '../../service/store/auditors.ts'
import { logIn } from './raw-client.ts'
import { withStore } from './read-log.ts'
import type { TestService } from './service.ts'

/** Creates an auditor account for a running service. @returns its token */
export async function newAuditor(service: TestService, name: string, role: AuditorRole): Promise<string> {
  const { masterKeys } = readOperatorPaths(service.environment)
  if (masterKeys === undefined) throw new Error('no master key')
  const now = service.now()
  const token = await withStore(service.environment, async (store) => {
    const keyring = await openKeyring(store, createSecretWrapper(masterKeys), now)
    const key = accountKeyOf(keyring.current('lookup', now).secretKey)
    return await addAuditor(store, key, { name, role, now, days: 1 })
  })
  if (token === undefined) throw new Error('the name is taken')
  return token
}

/** Signs in to the auditors' pages. @returns the cookie */
export async function signIn({ url }: TestService, token: string): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ token })
  const response = await fetch(`${url}/audit/api/session`, { method: 'POST', headers, body })
  return response.headers.get('set-cookie')?.split(';')[0] ?? ''
}

export interface Traffic {
  /** The pseudonyms of two people. */
  readonly payer: string
  readonly reader: string
}

/** Transfers, reads and refusals of two users, all of them logged and covered by a checkpoint. */
export async function makeTraffic(service: TestService, transfers = 3): Promise<Traffic> {
  const payer = await logIn(service, { openid: 'openid-of-a-payer' })
  for (let i = 0; i < transfers; i++) {
    const body = { payee: 'bob', amount: 7 + i, currency: 'CNY' }
    await payer.send({ method: 'POST', path: '/wallet/transfers', body })
  }
  await payer.send({ method: 'POST', path: '/wallet/transfers', body: { payee: 'bob' } })
  await payer.send({ method: 'POST', path: '/wallet/transfers', body: { amount: 1 }, key: undefined })
  const reader = await logIn(service, { openid: 'openid-of-a-reader' })
  await reader.send({ path: '/wallet/balance' })
  await reader.send({ path: '/wallet/nothing-here' })
  await isSettled(service)
  return { payer: payer.user, reader: reader.user }
}

/** Waits until a checkpoint covers every entry. */
export async function isSettled(service: TestService): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const response = await fetch(`${service.url ?? service.origin}/readyz`)
    const { log } = (await response.json()) as {
      log: { size: number; checkpoint_size: number; pending: number }
    }
    if (log.pending === 0 && log.size === log.checkpoint_size) return
    await wait(100)
  }
  throw new Error('entries remain without a checkpoint')
}
