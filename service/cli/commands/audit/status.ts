import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { CheckpointRecord, WitnessRecord } from '../../../store/tlog-tree.ts'
import type { Assessment, Refusal } from '../../../tlog/log-health.ts'
import { assessLog, refusalTexts } from '../../../tlog/log-health.ts'
import { defineCommand } from '../../command.ts'
import { formatTime } from '../../database.ts'
import { serviceEnvironment, withLogContext } from '../../log-access.ts'

export const status = defineCommand({
  name: 'audit status',
  summary: 'print the state of the log: size, checkpoint, pinned checkpoint, witnesses',
  notes: `
Checks that the database has the log that was signed last.

Exit status: 0 if the log is open, 1 if it is closed.
`,
  environment: serviceEnvironment,
  run: async (_values, terminal) =>
    await withLogContext(terminal, async ({ parts, now }) => {
      const assessment = await assessLog(parts)
      if (assessment.kind === 'unstarted') {
        terminal.out('no log; the service creates it at the first start\n')
        return 0
      }
      const pending = await parts.store.countPending()
      const facts = [
        ...describeLog(assessment, parts.origin, pending, now),
        ...describeWitnesses(await parts.store.listWitnesses(), assessment),
      ]
      for (const [name, text] of facts) terminal.out(`${name.padEnd(12)} ${text}\n`)
      if (assessment.kind === 'sound') {
        terminal.out('the log is open\n')
        return 0
      }
      const { refusal } = assessment
      terminal.out(`the log is CLOSED (${refusal}): ${refusalTexts[refusal]}\n${actionOn(refusal)}\n`)
      return 1
    }),
})

type Started = Exclude<Assessment, { kind: 'unstarted' }>
type Fact = readonly [name: string, text: string]

function describeLog(
  { state, checkpoint, pinnedCheckpoint }: Started,
  origin: string,
  pending: number,
  now: number,
): readonly Fact[] {
  return [
    ['origin', state?.origin ?? origin],
    ['size', `${state?.size ?? 0} entries, ${pending} pending`],
    ['checkpoint', checkpoint === undefined ? 'none' : describe(checkpoint, now)],
    ['pinned', pinnedCheckpoint === undefined ? 'none on this machine' : `${pinnedCheckpoint.size} entries`],
  ]
}

function describeWitnesses(
  witnesses: readonly WitnessRecord[],
  { state, checkpoint }: Started,
): readonly Fact[] {
  return witnesses.map(({ name, log, size, failure }) => {
    const behind = Math.max(0, (checkpoint?.size ?? 0) - size)
    const progress = log === state?.log ? `${behind} entries behind` : 'not cosigned yet'
    return ['witness', `${name}  ${progress}${failure === null ? '' : `  (${failure})`}`]
  })
}

function actionOn(refusal: Refusal): string {
  return refusal === 'pinned-checkpoint-missing'
    ? 'if no backup was restored, run miniseal audit trust-database; otherwise miniseal audit new-origin'
    : 'find the cause, then run miniseal audit new-origin'
}

function describe({ size, signedAt, note }: CheckpointRecord, now: number): string {
  const root = Buffer.from(parseCheckpointNote(note).checkpoint.root).toString('base64')
  const age = `signed ${formatTime(signedAt)}, ${Math.max(0, now - signedAt)} s ago`
  return `${size} entries, ${signedAt === 0 ? 'signature requested' : age}, root ${root}`
}
