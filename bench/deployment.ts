/** Miniseal in production mode: one or two processes on one database. */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Target } from './clients/client.ts'
import type { BenchOptions } from './options.ts'
import { Program } from './program.ts'
import type { ServiceCalls } from './programs/service.ts'
import { app } from './wechat-app.ts'

export type Engine = 'sqlite' | 'postgres'

export interface DeploymentOptions {
  /** Of this deployment alone; the caller removes it. */
  readonly folder: string
  readonly engine: Engine
  readonly processes: number
  /** Of WeChat's API. */
  readonly sandbox: string
  /** Sessions that send. */
  readonly users: number
  readonly nodeOptions?: readonly string[]
  /** A filled database instead of a new one. */
  readonly database?: { readonly location: string; readonly masterKey: string }
}

export interface Deployment {
  readonly target: Target
  /** CPU seconds of all service processes together. */
  cpu(): Promise<number>
  /** Bytes of all service processes together. */
  rss(): Promise<number>
  /** The database as in `MINISEAL_DATABASE`. */
  readonly location: string
  readonly masterKey: string
  /** Also called again. */
  stop(): Promise<void>
}

/** Default number of sending sessions: one for each connection. */
export function defaultUsers({ sessions }: Pick<BenchOptions, 'sessions'>): number {
  return Math.min(64, sessions)
}

const origin = 'https://pay.example.com'

/** Far above the throughput of one machine, so that no limit refuses a request. */
const wide = [
  'handshake_ip=9000000/60,frame_ip=90000000/60,user=9000000/60,device=9000000/60,app=90000000/60',
  'in_flight=4096,connections=60000,connections_ip=60000,sockets=60000,sockets_ip=60000',
].join(',')

/** @throws Error with what the service printed, when it does not start. */
export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  const { folder, engine, processes, sandbox, users, nodeOptions = [] } = options
  mkdirSync(folder, { recursive: true })
  const output = join(folder, 'output.log')
  const masterKey = options.database?.masterKey ?? randomBytes(32).toString('base64')
  const own = options.database === undefined ? await newDatabase(engine, folder) : undefined
  const location = options.database?.location ?? own?.location ?? ''
  const environment = {
    NODE_ENV: 'production',
    PORT: '0',
    MINISEAL_ORIGIN: origin,
    MINISEAL_DATABASE: location,
    MINISEAL_DATA: join(folder, 'data'),
    MINISEAL_MASTER_KEY: masterKey,
    MINISEAL_WECHAT_API: sandbox,
    MINISEAL_WECHAT_APPS: `${app.appid}:${app.secret}`,
    MINISEAL_LIMITS: wide,
  }
  const services: Program<ServiceCalls>[] = []
  for (let i = 0; i < processes; i++) {
    services.push(await Program.start<ServiceCalls>('service', { output, environment, nodeOptions }))
  }
  const addresses = await Promise.all(services.map((service) => service.call('where')))
  let isStopped = false
  const usages = () => Promise.all(services.map((service) => service.usage()))
  return {
    target: {
      ports: addresses.map(({ port }) => port),
      secrets: {
        ...{ origin, appid: app.appid, sandbox, users: String(users) },
        roots: (addresses[0]?.roots ?? []).join(','),
      },
    },
    cpu: async () => sum((await usages()).map(({ cpu }) => cpu)),
    rss: async () => sum((await usages()).map(({ rss }) => rss)),
    location,
    masterKey,
    async stop() {
      if (isStopped) return
      isStopped = true
      await Promise.all(services.map((service) => service.stop()))
      await own?.remove()
    },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}

/** The PostgreSQL server; undefined skips what needs it. */
export function postgresUrl(): string | undefined {
  return process.env.TEST_POSTGRES_URL || undefined
}

async function newDatabase(
  engine: Engine,
  folder: string,
): Promise<{ readonly location: string; remove(): Promise<void> }> {
  if (engine === 'sqlite')
    return { location: `sqlite:${join(folder, 'miniseal.db')}`, remove: async () => {} }
  const server = postgresUrl()
  if (server === undefined) throw new Error('TEST_POSTGRES_URL is not set')
  const schema = `miniseal_bench_${randomBytes(6).toString('hex')}`
  const query = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: server })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await query(`create schema ${schema}`)
  const url = new URL(server)
  url.searchParams.set('options', `-c search_path=${schema}`)
  return { location: url.href, remove: () => query(`drop schema ${schema} cascade`) }
}
