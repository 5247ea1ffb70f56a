/** Runs the shell commands of a page against a test service, with real values in place of the page's. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findField } from '../../../crypto/frames/binary-http.ts'
import type { CommandResult } from '../../support/command.ts'
import { runWords } from '../../support/command.ts'
import type { RawSession } from '../../support/raw-client.ts'
import { logIn } from '../../support/raw-client.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { SimpleCommand } from './shell.ts'

/** Files that pages use. */
const files = /^(2026-01\.checkpoint|january\.csv|evidence\.zip|order\.json|policy\.txt|reads\.jsonl)$/

export class Page {
  private readonly service: OwnService
  private readonly folder: string
  private readonly session: RawSession
  private readonly other: RawSession
  private readonly firstKeys = new Map<string, string>()
  private receipt = ''
  private vkey = ''
  private token = ''

  private constructor(service: OwnService, folder: string, session: RawSession, other: RawSession) {
    this.service = service
    this.folder = folder
    this.session = session
    this.other = other
  }

  /** A service with a user on two devices, a transfer in the log, and the files that a reader would have. */
  static async open(): Promise<Page> {
    const service = await startTestService()
    const openid = 'alice'
    const page = new Page(
      service,
      mkdtempSync(join(tmpdir(), 'miniseal-page-')),
      await logIn(service, { openid }),
      await logIn(service, { openid }),
    )
    await page.prepare()
    return page
  }

  async close(): Promise<void> {
    await this.service.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get environment(): Readonly<Record<string, string>> {
    // Commands about the log need the port.
    return { ...this.service.environment, PORT: new URL(this.service.origin).port }
  }

  private async prepare(): Promise<void> {
    const body = { payee: 'bob', amount: 1250, currency: 'CNY' }
    const answer = await this.session.send({ method: 'POST', path: '/wallet/transfers', body })
    const receipt = findField(answer.fields, 'miniseal-receipt') ?? ''
    this.receipt = Buffer.from(receipt.slice(1, -1), 'base64').toString('base64url')
    this.write('order.json', JSON.stringify(body))
    const configuration = await (await fetch(`${this.service.origin}/.well-known/miniseal`)).text()
    const payload = JSON.parse(Buffer.from(configuration.split('.')[1] ?? '', 'base64url').toString())
    this.vkey = payload.log.vkey
    this.write('policy.txt', `log ${this.vkey}\nquorum none\n`)
    await this.waitForReceipt()
    this.write('2026-01.checkpoint', await (await fetch(`${this.service.origin}/log/checkpoint`)).text())
    const added = await this.miniseal(['auditor', 'add', 'of-the-page', '--role', 'discloser', '--json'])
    this.token = JSON.parse(added.out).token
    await this.noteKeys()
  }

  /** Waits until a checkpoint covers the transfer. */
  private async waitForReceipt(): Promise<void> {
    const path = `/receipts/${this.receipt}`
    for (let turn = 0; turn < 500; turn++) {
      if ((await this.session.send({ path })).status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('no checkpoint covers the transfer')
  }

  private write(name: string, content: string): void {
    writeFileSync(join(this.folder, name), content)
  }

  private async miniseal(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    return await runWords(args, { ...this.environment, ...more })
  }

  /** Runs a command. @returns its exit code, `undefined` for third-party programs */
  async run({ words }: SimpleCommand): Promise<number | undefined> {
    const [program, ...args] = words
    if (program === 'curl') return await this.curl(args)
    if (program !== 'npx') return undefined
    const [, ...own] = args
    const real: string[] = []
    for (const [at, word] of own.entries()) real.push(await this.wordOf(word, own, at))
    const output = own[2] === 'master' ? await this.changeMasterKey(real) : await this.miniseal(real)
    if (output.code !== 0) throw new Error(`${real.join(' ')}: ${output.out}${output.err}`)
    if (own[0] === 'keys' && own[1] === 'revoke') await this.noteKeys()
    return output.code
  }

  /** Rotates to a new master key and back: the service keeps running with the first one. */
  private async changeMasterKey(words: readonly string[]): Promise<CommandResult> {
    const old = readFileSync(join(this.environment.MINISEAL_DATA ?? '', 'master.key'), 'utf8').trim()
    const next = randomBytes(32).toString('base64')
    const output = await this.miniseal(words, { MINISEAL_MASTER_KEY: `${next},${old}` })
    await this.miniseal(words, { MINISEAL_MASTER_KEY: `${old},${next}` })
    return output
  }

  /** The real value for a word of the page; `word` is `all[at]`. */
  private async wordOf(word: string, all: readonly string[], at: number): Promise<string> {
    if (files.test(word)) return join(this.folder, word)
    if (word === 'NAME') return await this.newAuditor()
    if (word === 'KEPT') return join(this.folder, '2026-01.checkpoint')
    if (/^0199c0de/.test(word)) return this.receipt
    if (/^(u_|USER$)/.test(word)) return this.session.user
    if (word === 'DEVICE') return this.other.device.signer.keyid
    if (word === 'PLACEHOLDER')
      return all[at - 1] === 'revoke' ? this.session.user : this.other.device.signer.keyid
    if (word === 'KIND') return 'token'
    if (word === 'OLD_KEY' || word === 'KEY')
      return await this.oldKey(all[at - 1] === 'KIND' ? 'token' : (all[at - 1] ?? ''))
    const named = word.replace('$VKEY', this.vkey).replace('$TOKEN', this.token)
    return named.replace('https://pay.example.com', this.service.origin)
  }

  /** The oldest key of a kind. Revoking a root key needs a second one. */
  private async oldKey(kind: string): Promise<string> {
    const roots = (await this.listKeys()).filter(([its]) => its === 'root')
    if (kind === 'root' && roots.length === 1) await this.miniseal(['keys', 'rotate', 'root'])
    return this.firstKeys.get(kind) ?? ''
  }

  private async newAuditor(): Promise<string> {
    const name = `auditor-${randomBytes(4).toString('hex')}`
    await this.miniseal(['auditor', 'add', name, '--role', 'reader'])
    return name
  }

  private async noteKeys(): Promise<void> {
    for (const [kind, kid] of (await this.listKeys()).toReversed()) this.firstKeys.set(kind, kid)
  }

  private async listKeys(): Promise<readonly (readonly [kind: string, kid: string])[]> {
    const { out } = await this.miniseal(['keys', 'list'])
    return out.split('\n').map((line) => {
      const [kind = '', kid = ''] = line.split(/\s+/)
      return [kind, kid]
    })
  }

  private async curl(args: readonly string[]): Promise<number> {
    const url = args.find((word) => /^https?:/.test(word)) ?? ''
    const place = url
      .replace('http://127.0.0.1:8788', this.service.sandboxUrl)
      .replace('https://pay.example.com', this.service.origin)
    const body = args[args.indexOf('-d') + 1]
    const options =
      args.includes('-d') && body !== undefined
        ? { method: 'POST', body, headers: { 'content-type': 'application/json' } }
        : {}
    const answer = await fetch(place, options)
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${await answer.text()}`)
    return 0
  }
}
