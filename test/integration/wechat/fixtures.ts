/** A sandbox, a client and a hand-made server, each on a free loopback port, all under a clock that tests move. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createWechatClient, type WechatCall, type WechatClient } from '../../../service/wechat/client.ts'
import { createSandbox } from '../../../service/wechat/sandbox/sandbox.ts'

export const otherApp = { appid: 'wxfedcba9876543210', secret: 'the-other-secret' }

/** Unix seconds; starts at the beginning of a minute and of a day. */
export interface Clock {
  seconds: number
}

export function newClock(): Clock {
  return { seconds: 20_000 * 86_400 }
}

const anyObject = z.record(z.string(), z.unknown())

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly json: Record<string, unknown>
}

export interface RunningSandbox {
  readonly url: string
  readonly clock: Clock
  get(path: string, query: Record<string, string>): Promise<Answer>
  post(path: string, body: unknown, query?: Record<string, string>): Promise<Answer>
  /** A login code and its openid. */
  newCode(openid?: string, appid?: string): Promise<{ code: string; openid: string }>
  fault(fault: Record<string, unknown>): Promise<void>
  calls(path: string): Promise<number>
  token(): Promise<string>
}

export async function startSandbox(clock: Clock = newClock()): Promise<RunningSandbox> {
  const sandbox = createSandbox({ apps: [sandboxApp, otherApp], now: () => clock.seconds })
  const { url } = await sandbox.start(0, '127.0.0.1')
  onTestFinished(() => sandbox.close())

  async function send(address: string, init?: RequestInit): Promise<Answer> {
    const response = await fetch(address, init)
    const json = anyObject.parse(JSON.parse(await response.text()))
    return { status: response.status, type: response.headers.get('content-type'), json }
  }
  const get = (path: string, query: Record<string, string>) =>
    send(`${url}/${path}?${new URLSearchParams(query)}`)
  const post = (path: string, body: unknown, query: Record<string, string> = {}) =>
    send(`${url}/${path}?${new URLSearchParams(query)}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  return {
    url,
    clock,
    get,
    post,
    async newCode(openid, appid = sandboxApp.appid) {
      const { json } = await post('sandbox/codes', openid === undefined ? { appid } : { appid, openid })
      return z.object({ code: z.string(), openid: z.string() }).parse(json)
    },
    async fault(fault) {
      const { status, json } = await post('sandbox/faults', fault)
      if (status !== 200) throw new Error(`the fault was refused: ${JSON.stringify(json)}`)
    },
    async calls(path) {
      return z.record(z.string(), z.number()).parse((await get('sandbox/calls', {})).json)[path] ?? 0
    },
    async token() {
      const body = { grant_type: 'client_credential', ...sandboxApp }
      return z.string().parse((await post('cgi-bin/stable_token', body)).json.access_token)
    },
  }
}

export interface RunningClient {
  readonly client: WechatClient
  readonly calls: WechatCall[]
}

export function startClient(
  baseUrl: string,
  options: { clock?: Clock; deadlineMs?: number } = {},
): RunningClient {
  const clock = options.clock ?? newClock()
  const calls: WechatCall[] = []
  const client = createWechatClient({
    baseUrl,
    apps: [sandboxApp, otherApp],
    deadlineMs: options.deadlineMs ?? 3000,
    now: () => clock.seconds,
    onCall: (call) => calls.push(call),
  })
  onTestFinished(() => client.close())
  return { client, calls }
}

/** A server that answers as the test says, and counts. */
export async function startServer(listener: RequestListener): Promise<{ url: string; count: () => number }> {
  let count = 0
  const server = createServer((request, response) => {
    count += 1
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, count: () => count }
}
