/** The real side of the model-based test: a service that can be stopped and started, and a backend whose effects are counted. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { ProtocolError } from '../../../crypto/errors.ts'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { type OwnService, startTestService } from '../../support/service.ts'

/** The backend's behaviours, by path. */
export const paths = { works: '/works', fails: '/fails', nothing: '/nothing' } as const

export class RealExchange {
  readonly #folder = mkdtempSync(join(tmpdir(), 'miniseal-model-'))
  /** Effects of each key of each user. */
  readonly #effects = new Map<string, number>()
  #service: OwnService | undefined

  /** Replaced by each restart. */
  get service(): OwnService {
    if (this.#service === undefined) throw new Error('the service does not run')
    return this.#service
  }

  async start(): Promise<void> {
    const data = join(this.#folder, 'data')
    this.#service = await startTestService({
      environment: {
        PORT: '0',
        // The authority of every signature: the port changes with each start.
        MINISEAL_ORIGIN: 'http://127.0.0.1:8787',
        MINISEAL_DATA: data,
        MINISEAL_DATABASE: `sqlite:${join(data, 'miniseal.db')}`,
      },
      backend: { answer: async (request, caller) => this.#answer(request, caller) },
    })
  }

  /** Loses everything in memory and reopens the database. */
  async restart(): Promise<void> {
    await this.service.stop()
    await this.start()
  }

  effectsOf(user: string, key: string): number {
    return this.#effects.get(`${user} ${key}`) ?? 0
  }

  async end(): Promise<void> {
    await this.service.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #answer(request: RequestMessage, { user }: Caller): ResponseMessage {
    if (request.path === paths.nothing) throw new ProtocolError('not_found', 'nothing was done')
    const key = (findField(request.fields, 'idempotency-key') ?? '').slice(1, -1)
    const count = this.effectsOf(user, key) + 1
    this.#effects.set(`${user} ${key}`, count)
    if (request.path === paths.fails) throw new Error('it failed half-way')
    // Every effect has a different answer.
    const content = encodeUtf8(JSON.stringify({ effect: `${key} ${count} ${Math.random()}` }))
    return { status: 201, fields: [['content-type', 'application/json']], content }
  }
}
