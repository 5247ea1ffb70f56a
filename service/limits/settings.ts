/** `MINISEAL_LIMITS`: names, defaults and syntax. */

/** `count` events per window of `seconds`. */
export interface Rate {
  readonly count: number
  readonly seconds: number
}

const perMinute = (count: number): Rate => ({ count, seconds: 60 })
const perDay = (count: number): Rate => ({ count, seconds: 86_400 })

/**
 * By name in `MINISEAL_LIMITS`. Many phones share the address of their carrier, so the limits of an address are far above
 * those of a user. An address group is one IPv4 address or one IPv6 /64.
 */
const production = {
  /** Handshake frames of one address group, checked before any cryptography. */
  handshake_ip: perMinute(300),
  /** All frames of one address group. */
  frame_ip: perMinute(6_000),
  /** Verified requests of one user, one device, one app. */
  user: perMinute(1_200),
  device: perMinute(600),
  app: perMinute(60_000),
  /** MiB stored for the unsafe requests of one device, and of one user. */
  stored_mib_device: perDay(128),
  stored_mib_user: perDay(256),
  /** Outcome queries of one user, which no other limit counts. */
  outcome: perMinute(60),
  /** Pushes of one address group, checked before any cryptography. */
  push_ip: perMinute(12_000),
  /** Verified pushes of one key. */
  push_key: perMinute(6_000),
  /** Concurrent exchanges. */
  in_flight: 256,
  /** Maximum share of `in_flight` and `body_mib`, in per cent, of one device, one user and one route. */
  device_share: 6,
  user_share: 12,
  route_share: 50,
  /** Concurrent logins, in per cent of `in_flight` and in addition to it. */
  login_share: 25,
  /** Concurrent WeChat calls for each purpose, in per cent of `in_flight`. */
  wechat_share: 12,
  /** MiB of outer bodies in memory, counted by declared length. */
  body_mib: 64,
  /** Open connections. */
  connections: 4_096,
  /** Open connections of one address group; not enforced behind trusted proxies. */
  connections_ip: 512,
  /** Open WebSockets, and those of one address group, one user and one session. */
  sockets: 2_048,
  sockets_ip: 512,
  sockets_user: 20,
  sockets_session: 2,
}

type Name = keyof typeof production

export type LimitSettings = { readonly [N in Name]: (typeof production)[N] }

/** High enough for tests and benchmarks on one machine. */
const development: LimitSettings = {
  ...production,
  handshake_ip: perMinute(60_000),
  frame_ip: perMinute(600_000),
  user: perMinute(60_000),
  device: perMinute(60_000),
  app: perMinute(600_000),
  stored_mib_device: perDay(4_096),
  stored_mib_user: perDay(8_192),
  outcome: perMinute(60_000),
  push_ip: perMinute(600_000),
  push_key: perMinute(600_000),
  in_flight: 1_024,
  device_share: 100,
  user_share: 100,
  route_share: 100,
  connections_ip: 4_096,
  sockets: 4_096,
  sockets_ip: 4_096,
}

export function defaultLimits(mode: 'development' | 'production'): LimitSettings {
  return mode === 'production' ? production : development
}

type RateName = { [N in Name]: LimitSettings[N] extends Rate ? N : never }[Name]
type CountName = Exclude<Name, RateName>

const names = Object.keys(production) as Name[]
const isRate = (name: Name): name is RateName => typeof production[name] !== 'number'
const rateNames = names.filter(isRate)
const countNames = names.filter((name): name is CountName => !isRate(name))
const shareNames = countNames.filter((name) => name.endsWith('_share'))

/** Seconds. Node's timers are limited to 24.8 days. */
const maxWindow = 86_400

/** The largest body is a 1 MiB frame in base64. */
const minBodyMib = 2

const form = `MINISEAL_LIMITS must be a comma list of name=count/seconds (${rateNames.join(', ')}) and name=count (${countNames.join(', ')})`

/**
 * Parses `MINISEAL_LIMITS`, for example `user=120/60,in_flight=256`. Other limits have their default.
 *
 * @throws Error for an unknown or repeated name, a malformed value, zero, a window over a day, a share over 100, or a
 *   `body_mib` below the size of one body.
 */
export function parseLimits(text: string | undefined, mode: 'development' | 'production'): LimitSettings {
  const settings: { -readonly [N in Name]: LimitSettings[N] } = { ...defaultLimits(mode) }
  const seen = new Set<string>()
  for (const entry of text?.split(',') ?? []) {
    const [, name = '', value = ''] = /^\s*([a-z_]+)=([0-9/]+)\s*$/.exec(entry) ?? []
    if (seen.has(name)) throw new Error(`MINISEAL_LIMITS names ${name} twice`)
    seen.add(name)
    const rateName = rateNames.find((known) => known === name)
    const countName = countNames.find((known) => known === name)
    if (rateName !== undefined) settings[rateName] = parseRate(value)
    else if (countName !== undefined) settings[countName] = parseCount(value)
    else throw new Error(form)
  }
  if (shareNames.some((name) => settings[name] > 100))
    throw new Error('MINISEAL_LIMITS: a share must not exceed 100')
  if (settings.body_mib < minBodyMib)
    throw new Error(`MINISEAL_LIMITS: body_mib must be at least ${minBodyMib}`)
  return settings
}

function parseRate(text: string): Rate {
  const [count = '', seconds = '', ...rest] = text.split('/')
  if (rest.length > 0) throw new Error(form)
  const rate = { count: parseCount(count), seconds: parseCount(seconds) }
  if (rate.seconds > maxWindow) throw new Error('MINISEAL_LIMITS: a window must not exceed a day')
  return rate
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(form)
  return Number(text)
}

/**
 * Parses `MINISEAL_TRUSTED_PROXIES`: the number of the operator's proxies that append to X-Forwarded-For.
 *
 * @throws Error unless it is a number from 0 to 9.
 */
export function parseTrustedProxies(text: string | undefined): number {
  if (text === undefined) return 0
  if (!/^[0-9]$/.test(text)) throw new Error('MINISEAL_TRUSTED_PROXIES must be a number from 0 to 9')
  return Number(text)
}
