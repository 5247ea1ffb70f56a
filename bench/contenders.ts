/** Miniseal and its peers, each running, each with the same handler and as durable. */
import { join, resolve } from 'node:path'
import type { BenchRun } from './bench-run.ts'
import type { Scheme } from './clients/schemes.ts'
import { defaultUsers, deploy } from './deployment.ts'
import type { Subject } from './load-source.ts'
import { Program } from './program.ts'
import type { PeerCalls } from './programs/peer.ts'

/** In the order of tables. */
export const peerLabels = {
  dpop: '(a) JWT, DPoP, JWE with a shared key',
  'dpop-agreement': '(a) the same, JWE with ECDH-ES',
  'http-signatures': '(b) RFC 9421, JWE',
  'wechat-pay': '(c) as WeChat Pay v3',
  plain: '(d) plain JSON, no security',
} as const satisfies Partial<Record<Scheme, string>>

export type PeerScheme = keyof typeof peerLabels

export const peerSchemes = Object.keys(peerLabels) as readonly PeerScheme[]

export interface Contenders {
  readonly ours: Subject
  readonly peers: readonly Subject[]
  /** Also at the end of the run, where it was not called before. */
  stop(): Promise<void>
}

/** Starts them; they end with the run. */
export async function startContenders(
  run: BenchRun,
  schemes: readonly PeerScheme[] = peerSchemes,
): Promise<Contenders> {
  const { profile } = run.options
  const deployment = await deploy({
    ...{ folder: run.folder('contender'), engine: 'sqlite', processes: 1, sandbox: run.sandbox },
    users: defaultUsers(run.options),
    nodeOptions: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profile)}`],
  })
  run.afterwards(deployment.stop)
  const { target, cpu } = deployment
  const ours: Subject = { name: 'miniseal', scheme: 'miniseal', target, cpu }
  const started: StartedPeer[] = []
  for (const scheme of schemes) started.push(await startPeer(run, scheme))
  const peers = started.map(({ subject }) => subject)
  for (const subject of [ours, ...peers]) await run.load.open(subject)
  return {
    ours,
    peers,
    async stop() {
      await Promise.all([deployment.stop(), ...started.map(({ program }) => program.stop())])
    },
  }
}

interface StartedPeer {
  readonly subject: Subject
  readonly program: Program<PeerCalls>
}

async function startPeer(run: BenchRun, scheme: PeerScheme): Promise<StartedPeer> {
  const output = join(run.folder('contender'), `${scheme}.log`)
  const database = join(run.folder('contender'), `${scheme}.db`)
  const environment = { NODE_ENV: 'production', BENCH_PEER: scheme, BENCH_DATABASE: database }
  const program = await Program.start<PeerCalls>('peer', { output, environment })
  run.afterwards(() => program.stop())
  const { port, secrets } = await program.call('where')
  const target = { ports: [port], secrets }
  const cpu = async (): Promise<number> => (await program.usage()).cpu
  return { subject: { name: scheme, scheme, target, cpu }, program }
}
