/** `miniseal audit status`: how the log is, and whether it may go on. */
import { parseArgs } from 'node:util'
import { parseCheckpointNote } from '../tlog/checkpoint.ts'
import { type Assessment, assessLog, refusalTexts } from '../tlog/log-health.ts'
import { type LogSituation, needs, withLog } from './audit-places.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { formatTime } from './database.ts'

const usage = `usage: miniseal audit status

Prints the log's origin, its size, the newest checkpoint and its age, the pinned checkpoint, pending entries, and
the progress of each witness. Checks that the database holds the log that was signed last; the exit status is 1 if not.
${needs}
`

export const status: Command = {
  name: 'audit status',
  summary: 'how large the log is, what is signed of it, and whether it goes on',
  usage,
  async run(args, terminal) {
    parseArgs({ args: [...args], options: {}, strict: true })
    return await withLog(terminal, (situation) => show(situation, terminal))
  },
}

async function show({ paths, now }: LogSituation, terminal: Terminal): Promise<ExitCode> {
  const { store } = paths
  const assessment = await assessLog(paths)
  if (assessment.kind === 'unstarted') {
    terminal.out('no log yet: the service starts it\n')
    return 0
  }
  const line = (name: string, text: string): void => terminal.out(`${name.padEnd(12)} ${text}\n`)
  const { state, checkpoint, pinnedCheckpoint } = assessment
  line('origin', state?.origin ?? paths.origin)
  line('size', `${state?.size ?? 0} leaves, ${await store.countPending()} pending`)
  line('checkpoint', checkpoint === undefined ? 'none yet' : describe(checkpoint, now))
  line('pinned', pinnedCheckpoint === undefined ? 'none here' : `${pinnedCheckpoint.size} leaves`)
  for (const { name, log, size, failure } of await store.listWitnesses()) {
    const behind =
      log === state?.log ? `${Math.max(0, (checkpoint?.size ?? 0) - size)} leaves behind` : 'not yet'
    line('witness', `${name}  ${behind}${failure === null ? '' : `  (${failure})`}`)
  }
  return conclude(assessment, terminal)
}

function describe(
  checkpoint: { readonly size: number; readonly signedAt: number; readonly note: string },
  now: number,
) {
  const root = Buffer.from(parseCheckpointNote(checkpoint.note).root).toString('base64')
  const when =
    checkpoint.signedAt === 0
      ? 'to be signed anew'
      : `signed ${formatTime(checkpoint.signedAt)}, ${Math.max(0, now - checkpoint.signedAt)} s ago`
  return `${checkpoint.size} leaves, ${when}, root ${root}`
}

function conclude(assessment: Exclude<Assessment, { kind: 'unstarted' }>, terminal: Terminal): ExitCode {
  if (assessment.kind === 'sound') {
    terminal.out('the log goes on\n')
    return 0
  }
  const { refusal } = assessment
  const remedy =
    refusal === 'pinned-checkpoint-missing'
      ? 'miniseal audit trust-database, if it was not put back from a backup; else miniseal audit new-origin'
      : 'miniseal audit new-origin, when you know why'
  terminal.out(`the log does NOT go on (${refusal}): ${refusalTexts[refusal]}\n${remedy}\n`)
  return 1
}
