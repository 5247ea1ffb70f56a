/** A PostgreSQL server that one test starts, stops and crashes. */
import { execFile, execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './service-process.ts'

const run = promisify(execFile)

export interface PrivatePostgres {
  /** Of its database `postgres`. */
  readonly url: string
  /** `immediate` acts like a crash, `fast` closes connections first. Resolves when the server is down. */
  stop(how: 'immediate' | 'fast'): Promise<void>
  /** Resolves when it takes connections. */
  start(): Promise<void>
  /** Stops it and removes its files. */
  remove(): Promise<void>
}

/** The folder of the server's programs: Debian's, else one on PATH. */
function findPrograms(): string | undefined {
  const base = '/usr/lib/postgresql'
  const versions = existsSync(base) ? readdirSync(base).sort((one, other) => Number(other) - Number(one)) : []
  const folders = [
    ...versions.map((version) => join(base, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')))
}

const programs = findPrograms()

/** The server refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const [, uid, gid] =
    /^(?:postgres|nobody):[^:]*:([0-9]+):([0-9]+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is no user to run a server as')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Creates a cluster in a new folder and starts it on a free port. */
export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  if (programs === undefined) throw new Error('this test needs postgresql (see CONTRIBUTING.md)')
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-postgres-'))
  const user = unprivileged()
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const port = await freePort()
  const options = { ...user, cwd: folder }
  const control = async (...words: string[]): Promise<void> => {
    await run(join(programs, 'pg_ctl'), ['-D', data, '-w', '-l', join(folder, 'log'), ...words], options)
  }
  execFileSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions'],
    { ...options, stdio: 'ignore' },
  )
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`
  const start = (): Promise<void> => control('-o', settings, 'start')
  await start()
  let isUp = true
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop(how) {
      isUp = false
      await control('-m', how, 'stop')
    },
    async start() {
      await start()
      isUp = true
    },
    async remove() {
      if (isUp) await control('-m', 'immediate', 'stop')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
