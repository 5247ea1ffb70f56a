/**
 * Payments by real clients over a hostile network, to a service that is killed and restarted. In the end the
 * network is reliable, and what the app shows for every payment is compared with the ledger.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { LyingNetwork } from '../../support/lying-network.ts'
import { startServiceProcess } from '../../support/service-process.ts'
import type { Order } from './person.ts'
import { Person } from './person.ts'
import { Storm } from './storm.ts'

export interface PaymentsReport {
  readonly payments: number
  readonly orders: number
  /** In the ledger. */
  readonly made: number
  /** Violations: each must be 0. */
  readonly wrong: {
    readonly doubled: number
    readonly unpaidButMade: number
    readonly paidButNotMade: number
    readonly leftUnknown: number
    /** A payment and its concurrent cancellation that got contradictory answers. */
    readonly contradictions: number
  }
  readonly kills: number
  readonly network: Storm['counts']
  readonly people: Person['counts']
}

const people = 8

/** @param report receives the number of payments begun and of kills */
export async function runPayments(
  payments: number,
  report: (begun: number, kills: number) => void = () => {},
): Promise<PaymentsReport> {
  const killed = await startServiceProcess()
  const network = new LyingNetwork(killed.service.origin)
  await network.open()
  const storm = new Storm(network)
  const persons = Array.from({ length: people }, (_, index) => {
    return new Person(killed.service, `person-${index}`, { transport: network.transport() })
  })
  let begun = 0
  let kills = 0
  let isOver = false
  const paying = async (person: Person): Promise<void> => {
    while (begun < payments) {
      begun += 1
      report(begun, kills)
      await person.pay(`payment-${begun}`)
    }
  }
  // A number of frames between two kills, so that a slow machine makes progress too.
  const killing = async (): Promise<void> => {
    for (let next = 20; !isOver; next = storm.counts.frames + 60 + Math.random() * 120) {
      while (storm.counts.frames < next && !isOver) await sleep(10 * Math.random())
      if (isOver) return
      await killed.restart(() => {})
      kills += 1
      report(begun, kills)
    }
  }
  try {
    const work = Promise.all(persons.map(paying)).finally(() => {
      isOver = true
    })
    await Promise.all([work, killing()])
    await Promise.all([storm.end(), ...persons.map((person) => person.finish())])
    return { payments, kills, network: storm.counts, ...judged(persons, ledgerIn(killed.folder)) }
  } finally {
    network.close()
    await killed.close()
  }
}

interface Row {
  readonly key: string
  readonly note: string
}

function ledgerIn(folder: string): readonly Row[] {
  const database = new Database(join(folder, 'demo-wallet.db'), { readonly: true })
  const rows = database.prepare<[], Row>('select key, note from transfers').all()
  database.close()
  // The wallet stores the field unchanged: a structured-field string, in quotes.
  return rows.map(({ key, note }) => ({ key: String(JSON.parse(key)), note }))
}

function judged(
  persons: readonly Person[],
  rows: readonly Row[],
): Pick<PaymentsReport, 'orders' | 'made' | 'wrong' | 'people'> {
  const orders = persons.flatMap((person) => person.orders)
  const made = new Set(rows.map(({ key }) => key))
  const count = (isSuch: (order: Order) => boolean): number => orders.filter(isSuch).length
  const people = summed(persons.map((person) => person.counts))
  return {
    orders: orders.length,
    made: rows.length,
    people,
    wrong: {
      doubled: rows.length - new Set(rows.map(({ note }) => note)).size,
      unpaidButMade: count(({ key, verdict }) => verdict === 'unpaid' && made.has(key)),
      paidButNotMade: count(({ key, verdict }) => verdict === 'paid' && !made.has(key)),
      leftUnknown: count(({ verdict }) => verdict === 'unknown'),
      contradictions: people.contradictions,
    },
  }
}

function summed(counts: readonly Person['counts'][]): Person['counts'] {
  const sum = { taps: 0, giveUps: 0, stopped: 0, tooLate: 0, completed: 0, restarts: 0, contradictions: 0 }
  const names = Object.keys(sum) as (keyof Person['counts'])[]
  for (const one of counts) for (const name of names) sum[name] += one[name]
  return sum
}
