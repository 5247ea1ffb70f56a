/** Opening and verifying what came back: every failure looks the same outside. */
import { FormatError, ProtocolError } from 'miniseal-protocol/errors'
import { ChannelError } from './errors.ts'

/** @throws ChannelError `not_verified` for every refusal of `check`, which is kept as the cause. */
export function verifying<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    if (!(cause instanceof ProtocolError || cause instanceof FormatError)) throw cause
    throw new ChannelError('not_verified', 'the answer does not verify', { cause })
  }
}
