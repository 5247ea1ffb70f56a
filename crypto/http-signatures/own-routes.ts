/** The routes inside the channel that the service answers itself (protocol, section 6). */

/** The first segments of their paths. */
const OWN = [
  'sessions',
  'devices',
  'phone-number',
  'encrypted-data',
  'events',
  'receipts',
  'outcomes',
] as const

/** Bytes of content that an own route takes; its content has no coding. */
export const MAX_OWN_CONTENT = 16384

/** Whether `path`, with or without a query, belongs to the service and not to a backend. */
export function isOwnRoute(path: string): boolean {
  const [route = ''] = path.split('?')
  const [, first] = route.split('/')
  return OWN.some((own) => own === first)
}
