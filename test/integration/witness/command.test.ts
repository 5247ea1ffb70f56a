/** `miniseal audit witness` as a process, the way people run it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { noteVerifier } from '../../../crypto/tlog/cosignature.ts'
import {
  encodeVerifierKey,
  parseSignatureLines,
  parseVerifierKey,
  verifyNote,
} from '../../../crypto/tlog/signed-note.ts'
import type { Terminal } from '../../../service/cli/command.ts'
import { CommandFailed, UsageError } from '../../../service/cli/command.ts'
import { witness } from '../../../service/cli/commands/audit/witness.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import type { RunningCommand } from '../../support/service-process.ts'
import { freePort, runMiniseal } from '../../support/service-process.ts'
import { checkpointOf } from '../../unit/crypto/fixed-log.ts'
import { logKey, witness as namedWitness } from '../../unit/crypto/note-inputs.ts'
import { forkedCheckpoint, honestBody, requestBody, temporaryFolder } from './tested-witness.ts'

const logVkey = encodeVerifierKey(primitives, logKey)
let folder: ReturnType<typeof temporaryFolder>
let running: RunningCommand[] = []

beforeEach(() => {
  folder = temporaryFolder()
  running = []
})
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await Promise.all(running.map(({ finished }) => finished))
  folder.remove()
})

interface Started {
  readonly command: RunningCommand
  readonly vkey: string
  post(body: string): Promise<{ readonly status: number; readonly text: string }>
}

async function start(port: number, ...more: string[]): Promise<Started> {
  const args = ['--log', logVkey, '--db', join(folder.path, 'w.db'), '--port', `${port}`, ...more]
  const command = runMiniseal(['audit', 'witness', ...args], {})
  running.push(command)
  const greeting = await command.waitFor('/witness+').catch(() => '')
  const [, vkey = ''] = /\n(\S+\+[0-9a-f]{8}\+\S{44})\n/.exec(greeting) ?? []
  return {
    command,
    vkey,
    async post(body) {
      const response = await fetch(`http://127.0.0.1:${port}/add-checkpoint`, { method: 'POST', body })
      return { status: response.status, text: await response.text() }
    },
  }
}

describe('audit witness', () => {
  it('miniseal audit witness prints its key, cosigns with it, keeps it, and exits with 0', {
    timeout: 120_000,
  }, async () => {
    const port = await freePort()
    const first = await start(port, '--name', 'host.example/witness')
    const key = parseVerifierKey(primitives, first.vkey)
    expect(key).toMatchObject({ kind: 'cosignature', name: 'host.example/witness' })
    const { status, text } = await first.post(honestBody(0, 7))
    expect(status).toBe(200)
    const note = {
      text: parseCheckpointNote(checkpointOf(7)).note.text,
      signatures: parseSignatureLines(text),
    }
    expect(verifyNote(note, [noteVerifier(primitives, key)])).toHaveLength(1)
    first.command.child.kill('SIGTERM')
    expect(await first.command.finished).toMatchObject({ code: 0, err: '' })
    const second = await start(port)
    expect(second.vkey).toBe(first.vkey)
    expect(await second.post(honestBody(0, 7))).toEqual({ status: 409, text: '7\n' })
  })

  it('a witness has stored every checkpoint that it cosigned when it is killed', {
    timeout: 120_000,
  }, async () => {
    const port = await freePort()
    let seen = 0
    for (const size of [3, 70]) {
      const { command, post } = await start(port, '--name', 'host.example/witness')
      expect((await post(honestBody(seen, size))).status).toBe(200)
      command.child.kill('SIGKILL')
      await command.finished
      seen = size
    }
    const { post } = await start(port)
    expect(await post(honestBody(0, 70))).toEqual({ status: 409, text: '70\n' })
  })

  it('two processes of one witness cosign one of two inconsistent checkpoints', {
    timeout: 120_000,
  }, async () => {
    const ports = [await freePort(), await freePort()]
    const [first, second] = await Promise.all(
      ports.map((port) => start(port, '--name', 'host.example/witness')),
    )
    expect(second?.vkey).toBe(first?.vkey)
    const stories = [honestBody(0, 7), requestBody(0, [], forkedCheckpoint(7))]
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const story = i % 2
        const { status = 0 } = (await (i % 4 < 2 ? first : second)?.post(stories[story] ?? '')) ?? {}
        return { story, status }
      }),
    )
    const cosigned = answers.filter(({ status }) => status === 200)
    expect(cosigned).toHaveLength(1)
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([])
  })

  it('a witness reports both notes of a log that signed two trees of one size', {
    timeout: 120_000,
  }, async () => {
    const { command, post } = await start(await freePort(), '--name', 'host.example/witness')
    await post(honestBody(0, 7))
    expect((await post(requestBody(7, [], forkedCheckpoint(7)))).status).toBe(422)
    await sleep(100)
    command.child.kill('SIGTERM')
    const { code, err } = await command.finished
    expect(code).toBe(0)
    expect(err).toContain('is inconsistent')
    expect(err).toContain(forkedCheckpoint(7))
    expect(err).toContain(checkpointOf(7))
  })

  it('miniseal audit witness refuses wrong options by name', async () => {
    expect(witness.usage).toContain('/add-checkpoint')
    const database = join(folder.path, 'x.db')
    const wrong = [
      [[], /--db/],
      [['--log', logVkey], /--db/],
      [['--db', database], /--log/],
      [['--db', database, '--log', 'hello'], /verifier key/],
      [
        ['--db', database, '--log', encodeVerifierKey(primitives, namedWitness('w1').key)],
        /not of a witness/,
      ],
      [['--db', database, '--log', `${logVkey}=ftp://x`], /URL of --log/],
      [['--db', database, '--log', logVkey, '--port', '70000'], /--port/],
    ] as const
    for (const [args, message] of wrong) {
      const end = witness.run(args, terminal)
      await expect(end, args.join(' ')).rejects.toThrow(UsageError)
      await expect(end).rejects.toThrow(message)
    }
    const unnamed = witness.run(['--db', database, '--log', logVkey, '--name', 'a b'], terminal)
    await expect(unnamed).rejects.toThrow(CommandFailed)
  })
})

const terminal: Terminal = {
  environment: {},
  out: () => undefined,
  err: () => undefined,
  drain: async () => undefined,
  isInteractive: false,
}
