import { expect, it } from 'vitest'
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

it('errors have the names of their classes', () => {
  expect(malformed.name).toBe('FormatError')
  expect(new ProtocolError('replayed', 'seen').name).toBe('ProtocolError')
  expect(new LogError('signature_wrong', 'wrong').name).toBe('LogError')
})

it('refuseFormat converts a FormatError to a ProtocolError with a code', () => {
  const refused = new ProtocolError('malformed_frame', 'not a key', malformed)
  expect(() => refuseFormat('malformed_frame', fail(malformed))).toThrow(refused)
})

it.each([new TypeError('a mistake of ours'), new ProtocolError('replayed', 'seen')])(
  'refuseFormat lets %s pass as it is',
  (error) => {
    expect(() => refuseFormat('malformed_frame', fail(error))).toThrow(error)
  },
)

it('refuseLogFormat converts a FormatError to a LogError with a reason', () => {
  const refused = new LogError('signature_wrong', 'not a key', malformed)
  expect(() => refuseLogFormat('signature_wrong', fail(malformed))).toThrow(refused)
})

it.each([new TypeError('a mistake of ours'), new LogError('quorum_missing', 'none')])(
  'refuseLogFormat lets %s pass as it is',
  (error) => {
    expect(() => refuseLogFormat('signature_wrong', fail(error))).toThrow(error)
  },
)
