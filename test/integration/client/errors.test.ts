import { expect, it } from 'vitest'
import type { ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { ChannelError, errorText, wrapErrors } from '../../../miniprogram/client/errors.ts'
import { clearAnswerError, findRefusal } from '../../../miniprogram/client/problem.ts'
import { clearTexts, clientTexts, refusalTexts } from '../../../miniprogram/client/problem-texts.ts'
import { backendProblem, clearAnswer, json, problem } from './scripted-answers.ts'

/** When the service signed, as its signature says. */
const answeredAt = 1764000000

const rows = Object.entries({ ...clearTexts, ...refusalTexts, ...clientTexts })

it('every code has a text in Chinese and in English', () => {
  expect(rows.length).toBeGreaterThan(50)
  for (const [, [chinese, english]] of rows) {
    expect(chinese).toMatch(/^[\u4e00-\u9fff，]+$/)
    expect(english).toMatch(/^[A-Z][A-Za-z ,’.-]+\.$/)
  }
})

it('the texts of errors are short', () => {
  for (const [, [chinese, english]] of rows) {
    expect(chinese.length).toBeLessThanOrEqual(24)
    expect(english.length).toBeLessThanOrEqual(90)
  }
})

it('the client returns the text of an error in the requested language', () => {
  const error = new ChannelError('rate_limited', 'too many')
  expect(error.text('en')).toBe(errorText('rate_limited', 'en'))
  expect(error.text()).toBe(errorText('rate_limited', 'zh-CN'))
})

it('an error keeps its details when details are added', () => {
  const cause = new Error('why')
  const error = new ChannelError('timeout', 'late', { status: 408, cause }).with({ outcome: 'unknown' })
  expect(error).toMatchObject({ code: 'timeout', message: 'late', status: 408, cause, outcome: 'unknown' })
  expect(error.retryable).toBe(true)
})

it('the client wraps errors of injected dependencies', async () => {
  const failing = wrapErrors('storage', 'no storage', () => Promise.reject(new Error('full')))
  await expect(failing).rejects.toMatchObject({ code: 'storage', cause: new Error('full') })
  const typed = wrapErrors('storage', 'no storage', () => Promise.reject(new ChannelError('network', 'away')))
  await expect(typed).rejects.toMatchObject({ code: 'network' })
})

it('the error of a signed refusal carries its code, status, time, detail and retry information', () => {
  const response = problem('rate_limited', 1, 429, {
    ...{ detail: 'slow down', retryable: false, outcome: 'none' },
  })
  const fields = [...response.fields, ['retry-after', '30'] as const]
  const error = findRefusal({ ...response, fields }, true, answeredAt)
  expect(error).toMatchObject({
    code: 'rate_limited',
    status: 429,
    time: answeredAt,
    detail: 'slow down',
    retryable: false,
    retryAfter: 30,
    outcome: 'refused',
  })
})

it('a refusal has an unknown outcome for every code unless it settles the key', () => {
  for (const code of ['replayed', 'rate_limited', 'payload_invalid', 'not_found', 'internal']) {
    expect(findRefusal(problem(code, 1), true, answeredAt)?.outcome).toBe('unknown')
    expect(findRefusal(problem(code, 1, 503, { outcome: 'unknown' }), true, answeredAt)?.outcome).toBe(
      'unknown',
    )
    expect(findRefusal(problem(code, 1, 503, { outcome: 'None' }), true, answeredAt)?.outcome).toBe('unknown')
    expect(findRefusal(problem(code, 1, 503, { outcome: 'none' }), true, answeredAt)?.outcome).toBe('refused')
    expect(findRefusal(problem(code, 1), false, answeredAt)?.outcome).toBe('none')
  }
})

it('the client distinguishes refusals from errors of the backend', () => {
  const found = (response: ResponseMessage) => findRefusal(response, true, answeredAt)
  expect(found(json(422, { code: 'payload_invalid' }))).toBeUndefined()
  expect(found(backendProblem('session_ended', 1))).toBeUndefined()
  const spelled = backendProblem('session_ended', 1)
  for (const name of ['miniseal_problem', 'x-miniseal-problem']) {
    expect(found({ ...spelled, fields: [...spelled.fields, [name, 'session_ended']] })).toBeUndefined()
  }
  expect(found(problem('not_found', 1, 200))).toBeUndefined()
})

it('the client treats an unknown refusal as an unknown outcome, not as a response of the backend', () => {
  const spelled = backendProblem('session_ended', 1)
  for (const response of [
    { ...spelled, fields: [...spelled.fields, ['miniseal-problem', 'replayed'] as const] },
    problem('insufficient_funds', 1, 422, { outcome: 'none' }),
    problem('unknown_session', 1, 401),
    { ...problem('not_found', 1), content: new Uint8Array([0xff]) },
  ]) {
    const { status } = response
    const unexpected = { code: 'unexpected_answer', status }
    expect(findRefusal(response, true, answeredAt)).toMatchObject({ ...unexpected, outcome: 'unknown' })
    expect(findRefusal(response, false, answeredAt)).toMatchObject({ ...unexpected, outcome: 'none' })
  }
})

it('the client accepts only the codes of unencrypted responses, and no other details', () => {
  const error = clearAnswerError(clearAnswer(401, 'unknown_session'))
  expect(error).toMatchObject({ code: 'unknown_session', status: 401 })
  expect([error.time, error.detail]).toEqual([undefined, undefined])
})

it('the client does not accept an unencrypted response as a signed refusal', () => {
  expect(clearAnswerError(clearAnswer(401, 'window_invalid')).code).toBe('unexpected_answer')
  expect(clearAnswerError(clearAnswer(401, 'session_ended')).code).toBe('unexpected_answer')
  expect(clearAnswerError({ status: 502, headers: {}, body: new Uint8Array(3) }).code).toBe(
    'unexpected_answer',
  )
})
