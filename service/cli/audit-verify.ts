/** `miniseal audit verify`. */
import type { Command } from './command.ts'
import { UsageError } from './command.ts'

export const verify: Command = {
  summary: 'recompute the whole log and compare',
  usage: 'usage: miniseal audit verify\n',
  async run() {
    throw new UsageError('not written yet')
  },
}
