import { describe, expect, it } from 'vitest'
import {
  FormatError,
  LogError,
  ProtocolError,
  refuseFormat,
  refuseLogFormat,
} from '../../../crypto/errors.ts'

const malformed = new FormatError('not a key')
const fail = (error: Error) => () => {
  throw error
}

it('errors are named after their classes, as lines of a log show them', () => {
  expect(malformed.name).toBe('FormatError')
  expect(new ProtocolError('replayed', 'seen').name).toBe('ProtocolError')
  expect(new LogError('signature_wrong', 'wrong').name).toBe('LogError')
})

describe('refuseFormat', () => {
  it('gives a code to what a parser refuses', () => {
    const refused = new ProtocolError('malformed_frame', 'not a key', malformed)
    expect(() => refuseFormat('malformed_frame', fail(malformed))).toThrow(refused)
  })

  it.each([new TypeError('a mistake of ours'), new ProtocolError('replayed', 'seen')])(
    'lets %s pass as it is',
    (error) => {
      expect(() => refuseFormat('malformed_frame', fail(error))).toThrow(error)
    },
  )
})

describe('refuseLogFormat', () => {
  it('gives a reason to what a parser refuses', () => {
    const refused = new LogError('signature_wrong', 'not a key', malformed)
    expect(() => refuseLogFormat('signature_wrong', fail(malformed))).toThrow(refused)
  })

  it.each([new TypeError('a mistake of ours'), new LogError('quorum_missing', 'none')])(
    'lets %s pass as it is',
    (error) => {
      expect(() => refuseLogFormat('signature_wrong', fail(error))).toThrow(error)
    },
  )
})
