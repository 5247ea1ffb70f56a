/** Step-up challenges and the SOTER counters of devices' trusted environments (protocol, section 9). */
import { and, gt, isNull, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileExpired,
  compileInsert,
  compileUpdate,
  compileUpsert,
  type Engine,
  matching,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type StepUpTables = ReturnType<typeof defineTables>

export function defineTables({ table, text, seconds, bytes, integer, index, check }: ColumnKit) {
  const stepUpChallenges = table(
    'step_up_challenges',
    {
      challenge: bytes('challenge').primaryKey(),
      user: text('user_id').notNull(),
      device: text('device_id').notNull(),
      /** The fingerprint of the request to be confirmed. */
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
   * Consumes a challenge. Refused unless it is for exactly this user, device and fingerprint, was not consumed, and
   * `expires_at > now`. Of simultaneous uses, in any number of processes, exactly one commits.
   */
  | WriteData<
      'consume-step-up',
      { challenge: Uint8Array; user: string; device: string; fingerprint: Uint8Array; now: number }
    >
  /**
   * Sets the highest counter of a trusted environment. Refused unless it rises: of simultaneous writes of the same
   * counter exactly one commits. `id` is 32 bytes. Never pruned.
   */
  | WriteData<'raise-soter-counter', { id: Uint8Array; counter: number; now: number }>

export function defineWrites({
  queries,
  tables: { stepUpChallenges, soterCounters },
}: Engine<StepUpTables>): WriteDefinitions<StepUpWrite> {
  const now = slotsOf<StepUpWrite>()('now')
  const isUsable = and(
    matching(stepUpChallenges, 'challenge', 'user', 'device', 'fingerprint'),
    isNull(stepUpChallenges.usedAt),
    gt(stepUpChallenges.expiresAt, now),
  )
  return {
    'insert-step-up': { bind: compileInsert(queries, stepUpChallenges, { usedAt: null }), isShareable: true },
    'consume-step-up': {
      bind: compileUpdate(queries, stepUpChallenges, { usedAt: now }, isUsable),
      isShareable: true,
    },
    'raise-soter-counter': {
      bind: compileUpsert(
        queries,
        soterCounters,
        { updatedAt: now },
        {
          key: soterCounters.id,
          replace: ['counter', 'updatedAt'],
          onlyIf: sql`${soterCounters.counter} < excluded.counter`,
        },
      ),
    },
  }
}

export interface StepUpReads {
  /** Finds a challenge in any state, until it is pruned. */
  findStepUp(challenge: Uint8Array): Promise<StepUpRecord | undefined>
}

export function prepareReads(engine: Engine<StepUpTables>): StepUpReads {
  const { stepUpChallenges } = engine.tables
  const isOne = matching(stepUpChallenges, 'challenge')
  return {
    findStepUp: readersOf(engine).first(
      engine.queries.select().from(stepUpChallenges).where(isOne),
      'challenge',
    ),
  }
}

export function compilePruning({ queries, tables }: Engine<StepUpTables>): readonly PruneStep[] {
  const { stepUpChallenges } = tables
  return [compileExpired(queries, stepUpChallenges, [stepUpChallenges.challenge])]
}
