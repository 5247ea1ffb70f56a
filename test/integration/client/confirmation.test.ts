/** Step-up authentication by the client: the dialog, SOTER, and each way in which a confirmation fails. */
import { expect, it } from 'vitest'
import { errorText } from '../../../miniprogram/client/errors.ts'
import type { ChannelError } from '../../../miniprogram/client/index.ts'
import { stepUpField } from '../../../miniprogram/client/index.ts'
import { wxConfirmDialog, wxSoter } from '../../../miniprogram/client/step-up.ts'
import type { SoterMode, WeChat, WeChatFailure } from '../../../miniprogram/client/wx.ts'
import { confirm } from '../../support/confirmation.ts'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone } from './phone.ts'
import { json, problem } from './scripted-answers.ts'
import { scripted } from './scripted-channel.ts'

const service = sharedService()

const order = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 200_000, currency: 'CNY' },
} as const

it('the client shows the summary, signs the challenge and executes the transfer once, with one key', async () => {
  const shown: string[] = []
  const { channel, proxy } = createPhone(service, 'openid-confirm', {
    confirmDialog: async (summary) => shown.push(summary) > 0,
    soter: (challenge) => confirm(service, 'openid-confirm', challenge),
  })
  const done = await channel.request({ ...order, confirm: true })
  expect([done.status, shown, await balance(channel)]).toEqual([201, ['2,000.00 元，转账给 bob'], 800_000])
  expect(proxy.frames).toBe(4)
})

it('the client reports the challenge and the key without `confirm`, and executes the confirmed transfer', async () => {
  const { channel } = createPhone(service, 'openid-finger')
  const error = await channel.request(order).then(
    () => undefined,
    (thrown: ChannelError) => thrown,
  )
  expect(error).toMatchObject({
    code: 'step_up_required',
    status: 401,
    outcome: 'unknown',
    problem: { summary: '2,000.00 元，转账给 bob' },
  })
  const challenge = String(error?.problem?.challenge)
  const headers = { 'step-up': stepUpField(challenge, await confirm(service, 'openid-finger', challenge)) }
  const idempotencyKey = error?.idempotencyKey ?? ''
  expect(idempotencyKey).not.toBe('')
  const done = await channel.request({ ...order, headers, idempotencyKey })
  expect([done.status, await balance(channel)]).toEqual([201, 800_000])
})

it('the client uses the caller’s own confirmation dialog', async () => {
  const shown: string[] = []
  const { channel } = createPhone(service, 'openid-own-way', {
    soter: (challenge) => confirm(service, 'openid-own-way', challenge),
  })
  const answer = await channel.request({ ...order, confirm: async (summary) => shown.push(summary) > 0 })
  expect([answer.status, shown]).toEqual([201, ['2,000.00 元，转账给 bob']])
})

it.each(['2,000.00 元，转账给 \u202ebob', '长'.repeat(43), ''])(
  'the client rejects a summary that cannot be displayed faithfully, without asking the user: %j',
  async (summary) => {
    let prompts = 0
    const { service: scriptedService, channel } = await scripted({
      soter: async () => {
        prompts += 1
        return { resultJSON: '', resultJSONSignature: '' }
      },
    })
    await channel.login()
    scriptedService.decide = ({ path }) => {
      return path.startsWith('/outcomes/')
        ? json(200, { outcome: 'none', cancelled: true })
        : problem('step_up_required', 1, 401, { challenge: 'A'.repeat(43), summary })
    }
    const confirming = channel.request({ ...order, confirm: async () => prompts++ === 0 })
    await expect(confirming).rejects.toMatchObject({ code: 'unexpected_answer', outcome: 'refused' })
    expect([prompts, scriptedService.received.length]).toEqual([0, 3])
  },
)

it('the client cancels the request when the user declines', async () => {
  let signed = 0
  const { channel } = createPhone(service, 'openid-no', {
    soter: (challenge) => {
      signed += 1
      return confirm(service, 'openid-no', challenge)
    },
  })
  await expect(channel.request({ ...order, confirm: async () => false })).rejects.toMatchObject({
    code: 'confirmation_cancelled',
    outcome: 'refused',
    idempotencyKey: expect.any(String),
  })
  expect([signed, await balance(channel)]).toEqual([0, 1_000_000])
})

it('the client executes a confirmed request once when its response is lost', async () => {
  const { channel, proxy } = createPhone(service, 'openid-lost-confirmed', {
    retries: 1,
    confirmDialog: async () => true,
    soter: (challenge) => confirm(service, 'openid-lost-confirmed', challenge),
  })
  await channel.login()
  proxy.meddle = (answer) => {
    if (proxy.frames !== 3) return answer
    throw new Error('reset')
  }
  const done = await channel.request({ ...order, confirm: true })
  expect([done.status, await balance(channel)]).toEqual([201, 800_000])
})

/** A `wx` with these SOTER modes, these enrolled ones, and this result. */
function wxWith(
  supported: readonly string[],
  enrolled: readonly SoterMode[],
  end: Partial<WeChatFailure> | undefined,
): { readonly wx: WeChat; readonly prompts: unknown[] } {
  const prompts: unknown[] = []
  const wx: Partial<WeChat> = {
    checkIsSupportSoterAuthentication: ({ success }) => success({ supportMode: supported }),
    checkIsSoterEnrolledInDevice: ({ checkAuthMode, success }) =>
      success({ isEnrolled: enrolled.includes(checkAuthMode) }),
    startSoterAuthentication: ({ success, fail, ...options }) => {
      prompts.push(options)
      if (end === undefined) success({ resultJSON: '{}', resultJSONSignature: 'AA==' })
      else fail({ errMsg: 'startSoterAuthentication:fail', ...end })
    },
  }
  return { wx: wx as WeChat, prompts }
}

it('the client requests the supported and enrolled modes, with a bounded text', async () => {
  const { wx, prompts } = wxWith(['speech', 'facial', 'fingerPrint'], ['fingerPrint'], undefined)
  await expect(wxSoter(wx)('challenge', '长'.repeat(42), 'android')).resolves.toMatchObject({
    resultJSON: '{}',
  })
  expect(prompts).toEqual([
    { requestAuthModes: ['fingerPrint'], challenge: 'challenge', authContent: '长'.repeat(42) },
  ])
})

it.each([
  [90001, 'android', 'soter_unsupported'],
  [90002, 'android', 'soter_not_allowed'],
  [90003, 'android', 'soter_mode_unsupported'],
  [90004, 'android', 'soter_failed'],
  [90005, 'android', 'soter_failed'],
  [90007, 'android', 'soter_failed'],
  [90008, 'ios', 'confirmation_cancelled'],
  [90009, 'android', 'soter_not_recognized'],
  [90009, 'ios', 'soter_frozen'],
  [90010, 'android', 'soter_frozen'],
  [90011, 'android', 'soter_not_enrolled'],
  [10011, 'ios', 'soter_failed'],
  [undefined, 'ios', 'soter_failed'],
] as const)('the client maps the error %s of SOTER on %s to %s', async (errCode, platform, code) => {
  const { wx } = wxWith(['facial'], ['facial'], errCode === undefined ? {} : { errCode })
  const failure = wxSoter(wx)('challenge', 'summary', platform)
  await expect(failure).rejects.toMatchObject({ code, outcome: 'none' })
  expect(errorText(code, 'zh-CN')).not.toBe('')
})

it('the client reports SOTER as unsupported without a mode and as not enrolled without biometrics', async () => {
  await expect(wxSoter(wxWith([], [], undefined).wx)('c', 's', 'ios')).rejects.toMatchObject({
    code: 'soter_unsupported',
  })
  await expect(wxSoter(undefined)('c', 's', 'ios')).rejects.toMatchObject({ code: 'soter_unsupported' })
  await expect(wxSoter(wxWith(['facial'], [], undefined).wx)('c', 's', 'ios')).rejects.toMatchObject({
    code: 'soter_not_enrolled',
  })
})

it.each([true, false])(
  'the client returns the button of the dialog that was pressed: %s',
  async (confirm) => {
    const shown: unknown[] = []
    const wx: Partial<WeChat> = {
      showModal: ({ success, content }) => {
        shown.push(content)
        success({ confirm })
      },
    }
    expect(await wxConfirmDialog(wx as WeChat)('向 bob 转账')).toBe(confirm)
    expect(shown).toEqual(['向 bob 转账'])
  },
)
