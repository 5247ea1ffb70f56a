/** Identifies clients by address: one IPv4 address, or the /64 of one IPv6 subscriber. */
import { isIP } from 'node:net'

/** The sender of a frame, for rate limits and the audit log. */
export interface Sender {
  /** The address group that rate limits count. */
  readonly source: string
  /** The exact address; `undefined` when unknown. */
  readonly ip: string | undefined
  /** Whether trusted proxies supplied the address. */
  readonly isForwarded: boolean
  /** Attacker-controlled. */
  readonly userAgent: string | undefined
}

/** All clients of unknown address share one allowance. */
const unknownSource = 'unknown'

/**
 * The address group of a client.
 *
 * X-Forwarded-For is attacker-controlled except for the entries that trusted proxies append. With `n` proxies the
 * client is the n-th entry from the right, and each of these entries must be a bare IP address. Otherwise the address
 * of the connection counts: a malformed field cannot select another allowance.
 *
 * @param remote address of the connection's peer
 */
export function sourceOf(
  remote: string | undefined,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  return senderOf(remote, { forwardedFor, userAgent: undefined }, trustedProxies).source
}

/** Group, address and user agent of a client. */
export function senderOf(
  remote: string | undefined,
  headers: { readonly forwardedFor: string | undefined; readonly userAgent: string | undefined },
  trustedProxies: number,
): Sender {
  const { forwardedFor, userAgent } = headers
  const forwarded = findForwardedAddress(forwardedFor, trustedProxies)
  const { ip, group = unknownSource } = forwarded ?? parseAddress(withoutZone(remote)) ?? {}
  return { source: group, ip, isForwarded: forwarded !== undefined, userAgent }
}

/**
 * One address of a group, for APIs without ranges: the first of a /64.
 *
 * @returns `undefined` when the address is unknown
 */
export function addressOf(source: string): string | undefined {
  return source === unknownSource ? undefined : source.replace(/\/64$/, '')
}

/** A zone names a local network interface; only the connection's address has one. */
function withoutZone(address = ''): string {
  return address.split('%')[0] ?? ''
}

interface Address {
  /** An IPv4-mapped address becomes the IPv4 address. */
  readonly ip: string
  readonly group: string
}

function parseAddress(text: string): Address | undefined {
  const group = groupOf(text)
  if (group === undefined) return undefined
  return { ip: group.includes(':') ? text.toLowerCase() : group, group }
}

function findForwardedAddress(field: string | undefined, trustedProxies: number): Address | undefined {
  if (trustedProxies === 0 || field === undefined) return undefined
  // The client controls the length and content of everything before these entries.
  const appended = field
    .split(',')
    .slice(-trustedProxies)
    .map((entry) => parseAddress(entry.trim()))
  return appended.length < trustedProxies || appended.includes(undefined) ? undefined : appended[0]
}

function groupOf(address: string): string | undefined {
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 4) return address
  return version === 6 ? groupOfIpv6(address) : undefined
}

/** An IPv4-mapped address (RFC 4291, section 2.5.5.2) is an IPv4 address; all others are grouped by /64. */
function groupOfIpv6(address: string): string {
  const groups = expand(address)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16))
  return `${prefix.join(':')}::/64`
}

/** The eight groups of a valid IPv6 address. The URL parser normalizes every notation, without dotted quads. */
function expand(address: string): readonly number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = [], tail = []] = canonical
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0)
  return [...head, ...zeros, ...tail]
}
