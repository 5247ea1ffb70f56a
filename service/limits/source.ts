/** Who sent a frame, as far as an address can tell: one IPv4 address, or the /64 that one IPv6 subscriber has. */
import { isIP } from 'node:net'

/** Who sent a frame: for the limits, and for the audit log. Everything but the connection's own address may be made up. */
export interface Sender {
  /** The address group that limits are counted for. */
  readonly source: string
  /** One address, as it is written; `undefined` where none is known. */
  readonly ip: string | undefined
  /** Whether trusted proxies named it. */
  readonly isForwarded: boolean
  /** Attacker-controlled. */
  readonly userAgent: string | undefined
}

/** Stands for all whose address is not known, so that they share one allowance. */
const unknownSource = 'unknown'

/**
 * The address group that limits are counted for.
 *
 * X-Forwarded-For is attacker-controlled but for what trusted proxies append at its end. With `n` of them, the client
 * is the n-th entry from the right; each of these entries must be a bare IP address. Otherwise the address of the
 * connection counts, so that a broken field shares one allowance and cannot choose another.
 *
 * @param remote address of the other end of the connection
 */
export function sourceOf(
  remote: string | undefined,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  // A zone names one of our own network interfaces; only the connection's address has one.
  const connected = groupOf(remote?.split('%')[0] ?? '')
  return findForwarded(forwardedFor, trustedProxies) ?? connected ?? unknownSource
}

/** The same client, with its address itself. */
export function senderOf(
  remote: string | undefined,
  {
    forwardedFor,
    userAgent,
  }: { readonly forwardedFor: string | undefined; readonly userAgent: string | undefined },
  trustedProxies: number,
): Sender {
  const forwarded = findForwardedAddress(forwardedFor, trustedProxies)
  const ip = forwarded ?? addressIn(remote?.split('%')[0] ?? '')
  const source = sourceOf(remote, forwardedFor, trustedProxies)
  return { source, ip, isForwarded: forwarded !== undefined, userAgent }
}

function addressIn(text: string): string | undefined {
  const mapped = groupOf(text)
  // An IPv4-mapped address is the IPv4 address.
  return mapped === undefined || !mapped.includes(':') ? mapped : text.toLowerCase()
}

/**
 * The address that stands for a group, for those who take addresses alone: of a /64 its first.
 *
 * @returns `undefined` where no address is known
 */
export function addressOf(source: string): string | undefined {
  return source === unknownSource ? undefined : source.replace(/\/64$/, '')
}

function findForwarded(field: string | undefined, trustedProxies: number): string | undefined {
  const address = findForwardedAddress(field, trustedProxies)
  return address === undefined ? undefined : groupOf(address)
}

function findForwardedAddress(field: string | undefined, trustedProxies: number): string | undefined {
  if (trustedProxies === 0 || field === undefined) return undefined
  // Only what our proxies have appended is looked at: the rest may be long, and is anybody's.
  const appended = field
    .split(',')
    .slice(-trustedProxies)
    .map((entry) => addressIn(entry.trim()))
  return appended.length < trustedProxies || appended.includes(undefined) ? undefined : appended[0]
}

function groupOf(address: string): string | undefined {
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 4) return address
  return version === 6 ? groupOfIpv6(address) : undefined
}

/** An IPv4-mapped address (RFC 4291, section 2.5.5.2) is the IPv4 address; any other stands for its /64. */
function groupOfIpv6(address: string): string {
  const groups = expand(address)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/** The eight groups of a valid IPv6 address. The URL parser writes every form in one way, without dots. */
function expand(address: string): readonly number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = [], tail = []] = canonical
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0)
  return [...head, ...zeros, ...tail]
}
