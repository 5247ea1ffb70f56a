/** Values that several routes share. */
import { z } from 'zod'

/** UNIX seconds. */
export const seconds = z.number().int().min(0)

/** Thumbprint of a device key. */
export const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** b64u of 16 bytes. */
export const sessionId = z.string().regex(/^[A-Za-z0-9_-]{22}$/)
