/** The routes that the service handles itself (protocol, section 6). */
import { pathWithoutQuery } from './message-rules.ts'

const ownSegments = [
  'sessions',
  'devices',
  'phone-number',
  'encrypted-data',
  'events',
  'receipts',
  'outcomes',
] as const

/** The first path segment of such a route. */
export type OwnSegment = (typeof ownSegments)[number]

/** Maximum content of such a route, in bytes. It has no content-encoding. */
export const MAX_OWN_CONTENT = 16384

/** Whether `path`, with or without a query, is such a route. */
export function isOwnRoute(path: string): boolean {
  const [, first] = pathWithoutQuery(path).split('/')
  return ownSegments.some((own) => own === first)
}
