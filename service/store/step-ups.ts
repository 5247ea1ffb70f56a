/** Step-up challenges and the SOTER counters of devices' trusted environments (protocol, section 9). */
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  compileExpired,
  type Engine,
  type PruneStep,
  prepareRead,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type StepUpTables = ReturnType<typeof defineStepUps>

export function defineStepUps({ table, text, seconds, bytes, integer, index, check }: ColumnKit) {
  const stepUpChallenges = table(
    'step_up_challenges',
    {
      challenge: bytes('challenge').primaryKey(),
      user: text('user_id').notNull(),
      device: text('device_id').notNull(),
      /** Of the request to be confirmed. */
      fingerprint: bytes('fingerprint').notNull(),
      /** The first second at which the challenge is no longer valid. */
      expiresAt: seconds('expires_at').notNull(),
      usedAt: seconds('used_at'),
    },
    (t) => [
      index('step_up_challenges_expires').on(t.expiresAt),
      check('step_up_challenges_challenge_length', sql`length(${t.challenge}) = 32`),
      check('step_up_challenges_fingerprint_length', sql`length(${t.fingerprint}) = 32`),
    ],
  )
  const soterCounters = table(
    'soter_counters',
    {
      id: bytes('id').primaryKey(),
      counter: integer('counter').notNull(),
      updatedAt: seconds('updated_at').notNull(),
    },
    (t) => [check('soter_counters_id_length', sql`length(${t.id}) = 32`)],
  )
  return { stepUpChallenges, soterCounters }
}

/** The biometric confirmation that was requested for one request. */
export type StepUpRecord = Readonly<StepUpTables['stepUpChallenges']['$inferSelect']>

export type StepUpWrite =
  /** Refused when the challenge exists: 32 bytes, unpredictable. `fingerprint` is 32 bytes. */
  | WriteData<
      'insert-step-up',
      { challenge: Uint8Array; user: string; device: string; fingerprint: Uint8Array; expiresAt: number }
    >
  /**
   * Consumes a challenge. Refused unless it was made for exactly this user, device and fingerprint, was not consumed, and
   * `expires_at > now`. Of any number of simultaneous ones, in any number of processes, exactly one commits.
   */
  | WriteData<
      'consume-step-up',
      { challenge: Uint8Array; user: string; device: string; fingerprint: Uint8Array; now: number }
    >
  /**
   * Sets the highest counter of a trusted environment. Refused unless it rises: of simultaneous ones with the same
   * counter exactly one commits. `id` is 32 bytes. Never pruned.
   */
  | WriteData<'raise-soter-counter', { id: Uint8Array; counter: number; now: number }>

type WriteOf<K extends StepUpWrite['kind']> = Extract<StepUpWrite, { readonly kind: K }>

export function defineStepUpWrites({ queries, tables }: Engine<StepUpTables>): WriteDefinitions<StepUpWrite> {
  const { stepUpChallenges, soterCounters } = tables
  const consumed = slotsOf<WriteOf<'consume-step-up'>>()
  const raised = slotsOf<WriteOf<'raise-soter-counter'>>()
  const touched = { touched: stepUpChallenges.user }
  return {
    'insert-step-up': {
      bind: compile(
        queries
          .insert(stepUpChallenges)
          .values({ ...rowSlots(stepUpChallenges), usedAt: null })
          .onConflictDoNothing()
          .returning(touched),
      ),
      isShareable: true,
    },
    'consume-step-up': {
      bind: compile(
        queries
          .update(stepUpChallenges)
          .set({ usedAt: sql`${consumed('now')}` })
          .where(
            and(
              eq(stepUpChallenges.challenge, consumed('challenge')),
              eq(stepUpChallenges.user, consumed('user')),
              eq(stepUpChallenges.device, consumed('device')),
              eq(stepUpChallenges.fingerprint, consumed('fingerprint')),
              isNull(stepUpChallenges.usedAt),
              gt(stepUpChallenges.expiresAt, consumed('now')),
            ),
          )
          .returning(touched),
      ),
      isShareable: true,
    },
    'raise-soter-counter': {
      bind: compile(
        queries
          .insert(soterCounters)
          .values({ id: raised('id'), counter: raised('counter'), updatedAt: raised('now') })
          .onConflictDoUpdate({
            target: soterCounters.id,
            set: { counter: sql`excluded.counter`, updatedAt: sql`excluded.updated_at` },
            setWhere: sql`${soterCounters.counter} < excluded.counter`,
          })
          .returning({ touched: soterCounters.updatedAt }),
      ),
    },
  }
}

export interface StepUpReads {
  /** Whatever its state, until it is pruned. */
  findStepUp(challenge: Uint8Array): Promise<StepUpRecord | undefined>
}

export function prepareStepUpReads(engine: Engine<StepUpTables>): StepUpReads {
  const { stepUpChallenges } = engine.tables
  const byChallenge = prepareRead(
    engine,
    engine.queries
      .select()
      .from(stepUpChallenges)
      .where(eq(stepUpChallenges.challenge, sql.placeholder('challenge'))),
  )
  return { findStepUp: async (challenge) => (await byChallenge({ challenge }))[0] }
}

export function compileStepUpPruning({ queries, tables }: Engine<StepUpTables>): readonly PruneStep[] {
  const { stepUpChallenges } = tables
  return [compileExpired(queries, stepUpChallenges, [stepUpChallenges.challenge])]
}
