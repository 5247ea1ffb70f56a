/** The routes of the channel that the service itself handles (protocol, section 6). */
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

/** The first segment of an own route's path. */
export type OwnSegment = (typeof ownSegments)[number]

/** The largest content of such a route, in bytes; it has no content-encoding. */
export const MAX_OWN_CONTENT = 16384

/** Whether `path`, with or without a query, belongs to the service: its first segment decides. */
export function isOwnRoute(path: string): boolean {
  const [, first] = pathWithoutQuery(path).split('/')
  return ownSegments.some((own) => own === first)
}
