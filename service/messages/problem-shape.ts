/** The shape of a problem document (RFC 9457), for the code that writes it and for the OpenAPI document. */
import { z } from 'zod'
import { problemCodes } from './problem-table.ts'

export const problemDocument = z.looseObject({
  /** Leads to the page of the code. */
  type: z.url(),
  title: z.string(),
  status: z.number().int().min(400).max(599),
  detail: z.string(),
  /** `urn:uuid:` and the `requestId` of the log line. */
  instance: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
  code: z.enum(problemCodes),
  /** The check that refused. */
  step: z.string(),
  /** UNIX seconds, by the service's clock. */
  time: z.number().int(),
  retryable: z.boolean(),
  /**
   * Of the request's Idempotency-Key: `none`, nothing ever had or will have an effect with it; `unknown`, something may
   * have had. Absent: nothing is known of the key.
   */
  outcome: z.enum(['none', 'unknown']).optional(),
  /** Of `unavailable`: the disk is nearly full. */
  reason: z.literal('storage_full').optional(),
  /** Of `step_up_required`. */
  challenge: z.string().optional(),
  summary: z.string().optional(),
  /** Of `signature_invalid`, in development only. */
  base_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  base_lengths: z.string().optional(),
})

export type ProblemDocument = z.infer<typeof problemDocument>
