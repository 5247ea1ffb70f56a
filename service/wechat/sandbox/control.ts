/** The sandbox's own routes: actions of users and devices, injected faults, counts of calls. */
import { Hono } from 'hono'
import { z } from 'zod'
import { apiPaths, highestRank, type SandboxState, sealUserData } from './state.ts'

const openid = z.string().min(1).max(128)
const codesBody = z.strictObject({ appid: z.string(), openid: openid.optional() })
const phoneCodesBody = z.strictObject({ appid: z.string(), openid })
const userDataBody = z.strictObject({
  appid: z.string(),
  openid,
  data: z.record(z.string(), z.unknown()),
  timestamp: z.number().int().optional(),
})
/** wx.startSoterAuthentication takes at most 512 characters. */
const soterBody = z.strictObject({ openid, challenge: z.string().min(1).max(512) })

const riskRankBody = z.strictObject({
  appid: z.string(),
  openid,
  risk_rank: z.number().int().min(0).max(highestRank),
})

const faultsBody = z
  .strictObject({
    path: z
      .string()
      .transform((path) => path.replace(/^\//, ''))
      .pipe(z.enum(apiPaths)),
    errcode: z
      .number()
      .int()
      .refine((errcode) => errcode !== 0, 'an errcode of 0 is no failure')
      .optional(),
    status: z.number().int().min(200).max(599).optional(),
    body: z.string().optional(),
    delay_ms: z.number().int().min(1).max(60_000).optional(),
    drop: z.literal(true).optional(),
    times: z.number().int().min(1).max(10_000).default(1),
  })
  .refine(
    ({ path: _path, times: _times, ...faults }) => Object.values(faults).some((value) => value !== undefined),
    'one of errcode, status, body, delay_ms, drop is required',
  )
  .refine(
    (fault) => fault.errcode === undefined || fault.body === undefined,
    'errcode and body exclude each other',
  )

/** An invalid request; the message is the answer, with status 400. */
class ControlError extends Error {}

/** `/sandbox/…`. Every answer is JSON; a bad request is `400 {"error": …}`. */
export function controlRoutes(state: SandboxState): Hono {
  const app = new Hono()
  app.post('/codes', async (c) => {
    const body = parse(codesBody, await c.req.text())
    assertApp(state, body.appid)
    const user = { appid: body.appid, openid: body.openid ?? state.users.newOpenid() }
    return c.json({ code: state.loginCodes.issue(user), openid: user.openid })
  })
  app.post('/phone-codes', async (c) => {
    const body = parse(phoneCodesBody, await c.req.text())
    assertApp(state, body.appid)
    return c.json({
      code: state.phoneCodes.issue(body),
      phoneNumber: state.users.phoneNumberOf(body.openid),
    })
  })
  app.post('/encrypted-data', async (c) => {
    const body = parse(userDataBody, await c.req.text())
    assertApp(state, body.appid)
    const sessionKey = state.users.findSessionKey(body.appid, body.openid)
    if (sessionKey === undefined) throw new ControlError('openid: this user has never logged in')
    const watermark = { timestamp: body.timestamp ?? state.now(), appid: body.appid }
    return c.json(sealUserData(sessionKey, state.random(16), body.data, watermark))
  })
  app.post('/soter', async (c) => {
    const body = parse(soterBody, await c.req.text())
    return c.json(await state.soter.confirm(body.openid, body.challenge))
  })
  app.post('/risk-ranks', async (c) => {
    const { appid, openid, risk_rank } = parse(riskRankBody, await c.req.text())
    assertApp(state, appid)
    state.riskRanks.setRank(appid, openid, risk_rank)
    return c.json({ openid, risk_rank })
  })
  app.post('/faults', async (c) => {
    const { path, times, errcode, status, body, delay_ms, drop } = parse(faultsBody, await c.req.text())
    state.faults.add(path, { errcode, status, body, delayMs: delay_ms ?? 0, drop: drop ?? false }, times)
    return c.json({ path, times })
  })
  app.get('/calls', (c) => c.json(state.faults.calls()))
  app.onError((error, c) => {
    if (error instanceof ControlError) return c.json({ error: error.message }, 400)
    return c.json({ error: 'the sandbox failed' }, 500)
  })
  return app
}

function assertApp(state: SandboxState, appid: string): void {
  if (!state.apps.has(appid)) throw new ControlError('appid: unknown app')
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  const result = schema.safeParse(parseJson(text))
  if (result.success) return result.data
  throw new ControlError(
    result.error.issues.map((issue) => [...issue.path, issue.message].join(': ')).join('; '),
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ControlError('the body is not JSON')
  }
}
