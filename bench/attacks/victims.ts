/** Payments and logins of another user, from a different address, measured while a service is attacked. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, setGlobalDispatcher } from 'undici'
import { logIn, type RawSession } from '../../test/support/raw-client.ts'
import type { AttackedService } from './service.ts'

export interface Measured {
  readonly count: number
  readonly failed: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface Figures {
  readonly payment: Measured
  readonly login: Measured
  /** The largest growth of the service's memory, in bytes. */
  readonly growth: number
}

/** A victim's deadline in milliseconds. */
const patience = 10_000

export function comeFrom(localAddress: string): void {
  setGlobalDispatcher(new Agent({ localAddress, headersTimeout: patience, bodyTimeout: patience }))
}

/** @param isGood whether a response is acceptable under this attack; others count as failed */
export async function measure(
  attacked: AttackedService,
  victim: RawSession,
  seconds: number,
  isGood: (status: number, code: unknown) => boolean,
): Promise<Figures> {
  const before = attacked.memory()
  let growth = 0
  const watch = setInterval(() => {
    growth = Math.max(growth, attacked.memory() - before)
  }, 50)
  const until = performance.now() + 1_000 * seconds
  const pay = async (): Promise<boolean> => {
    const { status, json } = await victim.send({ method: 'POST', path: '/pay/order', body: { amount: 1 } })
    return isGood(status, json?.code)
  }
  const enter = async (): Promise<boolean> => {
    await logIn(attacked.service)
    return true
  }
  const [payment, login] = await Promise.all([repeat(pay, until, 120), repeat(enter, until, 400)])
  clearInterval(watch)
  return { payment, login, growth }
}

async function repeat(work: () => Promise<boolean>, until: number, pause: number): Promise<Measured> {
  const times: number[] = []
  let failed = 0
  do {
    const startedAt = performance.now()
    const isGood = await work().catch(() => false)
    times.push(performance.now() - startedAt)
    if (!isGood) failed += 1
    await sleep(pause)
  } while (performance.now() < until)
  times.sort((a, b) => a - b)
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  return { count: times.length, failed, p50: at(0.5), p99: at(0.99), max: times.at(-1) ?? 0 }
}
