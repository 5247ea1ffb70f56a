/** The limits of a service: their defaults, and how an operator writes them. */

/** So many in a window of so many seconds. */
export interface Rate {
  readonly count: number
  readonly seconds: number
}

export interface LimitSettings {
  /** Handshake frames of one address group, refused before any cryptography. */
  readonly handshake_ip: Rate
  /** All frames of one address group. */
  readonly frame_ip: Rate
  /** Signed requests inside the channel. */
  readonly user: Rate
  readonly device: Rate
  readonly app: Rate
  /** Mebibytes that the unsafe requests of one device, and of one user, may make the service store. */
  readonly stored_mib_device: Rate
  readonly stored_mib_user: Rate
  /** Requests of one user about the outcomes of their requests; they count for no other limit of user, device or app. */
  readonly outcome: Rate
  /** Pushes of one address group, refused before any cryptography. */
  readonly push_ip: Rate
  /** Signed pushes of one key. */
  readonly push_key: Rate
  /** Exchanges at work at one time. */
  readonly in_flight: number
  /** Hundredths of `in_flight` and of `body_mib` that one device, one user and one route may have at work. */
  readonly device_share: number
  readonly user_share: number
  readonly route_share: number
  /** Hundredths of `in_flight`: places that logins have of their own, besides. */
  readonly login_share: number
  /** Hundredths of `in_flight`: requests that may wait for WeChat at one time, for each of its purposes. */
  readonly wechat_share: number
  /** Mebibytes of outer bodies, as declared, that are held at one time. */
  readonly body_mib: number
  /** Open connections. */
  readonly connections: number
  /** Open connections of one address group; not counted behind trusted proxies. */
  readonly connections_ip: number
  /** Open sockets of the channel, of one address group, of one user and of one session. */
  readonly sockets: number
  readonly sockets_ip: number
  readonly sockets_user: number
  readonly sockets_session: number
}

/** Wide enough for tests and measurements on one machine, and bounded all the same. */
const development: LimitSettings = {
  handshake_ip: { count: 60_000, seconds: 60 },
  frame_ip: { count: 600_000, seconds: 60 },
  user: { count: 60_000, seconds: 60 },
  device: { count: 60_000, seconds: 60 },
  app: { count: 600_000, seconds: 60 },
  stored_mib_device: { count: 4_096, seconds: 86_400 },
  stored_mib_user: { count: 8_192, seconds: 86_400 },
  outcome: { count: 60_000, seconds: 60 },
  push_ip: { count: 600_000, seconds: 60 },
  push_key: { count: 600_000, seconds: 60 },
  in_flight: 1_024,
  device_share: 100,
  user_share: 100,
  route_share: 100,
  login_share: 25,
  wechat_share: 12,
  body_mib: 64,
  connections: 4_096,
  connections_ip: 4_096,
  sockets: 4_096,
  sockets_ip: 4_096,
  sockets_user: 20,
  sockets_session: 2,
}

/** Many phones share one address of their carrier, so the limits of an address are far above those of a person. */
const production: LimitSettings = {
  handshake_ip: { count: 300, seconds: 60 },
  frame_ip: { count: 6_000, seconds: 60 },
  user: { count: 1_200, seconds: 60 },
  device: { count: 600, seconds: 60 },
  app: { count: 60_000, seconds: 60 },
  stored_mib_device: { count: 128, seconds: 86_400 },
  stored_mib_user: { count: 256, seconds: 86_400 },
  outcome: { count: 60, seconds: 60 },
  push_ip: { count: 12_000, seconds: 60 },
  push_key: { count: 6_000, seconds: 60 },
  in_flight: 256,
  device_share: 6,
  user_share: 12,
  route_share: 50,
  login_share: 25,
  wechat_share: 12,
  body_mib: 64,
  connections: 4_096,
  connections_ip: 512,
  sockets: 2_048,
  sockets_ip: 512,
  sockets_user: 20,
  sockets_session: 2,
}

/** The limits where nothing else is said. */
export function defaultLimits(mode: 'development' | 'production'): LimitSettings {
  return mode === 'production' ? production : development
}

const rateNames = [
  'handshake_ip',
  'frame_ip',
  'user',
  'device',
  'app',
  'stored_mib_device',
  'stored_mib_user',
  'outcome',
  'push_ip',
  'push_key',
] as const
const shareNames = ['device_share', 'user_share', 'route_share', 'login_share', 'wechat_share'] as const
const boundNames = [
  ...shareNames,
  'in_flight',
  'body_mib',
  'connections',
  'connections_ip',
  'sockets',
  'sockets_ip',
  'sockets_user',
  'sockets_session',
] as const

/** A window of more than a day would not fit a timer, and nobody waits for it. */
const maxWindow = 86_400

/** The largest body is a frame of 1 MiB in base64. */
const minBodies = 2

const form = `MINISEAL_LIMITS must be a comma list of name=count/seconds (${rateNames.join(', ')}) and name=count (${boundNames.join(', ')})`

/**
 * Reads `MINISEAL_LIMITS`, for example `user=120/60,in_flight=256`; what it does not name keeps its default.
 *
 * @throws Error for an unknown or repeated name, a value of the wrong form, a zero, a window over a day, or
 *   less room for bodies than one of them takes.
 */
export function parseLimits(text: string | undefined, mode: 'development' | 'production'): LimitSettings {
  const settings: { -readonly [Name in keyof LimitSettings]: LimitSettings[Name] } = {
    ...defaultLimits(mode),
  }
  const seen = new Set<string>()
  for (const entry of text?.split(',') ?? []) {
    const [, name = '', value = ''] = /^\s*([a-z_]+)=([0-9/]+)\s*$/.exec(entry) ?? []
    if (seen.has(name)) throw new Error(`MINISEAL_LIMITS names ${name} twice`)
    seen.add(name)
    const rateName = rateNames.find((known) => known === name)
    const boundName = boundNames.find((known) => known === name)
    if (rateName !== undefined) settings[rateName] = parseRate(value)
    else if (boundName !== undefined) settings[boundName] = parseCount(value)
    else throw new Error(form)
  }
  if (shareNames.some((name) => settings[name] > 100))
    throw new Error('MINISEAL_LIMITS has a share of more than 100 hundredths')
  if (settings.body_mib < minBodies) throw new Error('MINISEAL_LIMITS must leave body_mib=2 or more')
  return settings
}

function parseRate(text: string): Rate {
  const [count = '', seconds = '', ...rest] = text.split('/')
  if (rest.length > 0) throw new Error(form)
  const rate = { count: parseCount(count), seconds: parseCount(seconds) }
  if (rate.seconds > maxWindow) throw new Error('MINISEAL_LIMITS has a window of more than a day')
  return rate
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(form)
  return Number(text)
}

/**
 * Reads `MINISEAL_TRUSTED_PROXIES`: how many proxies of our own stand in front, each of which appends to X-Forwarded-For.
 *
 * @throws Error for anything but a number from 0 to 9.
 */
export function parseTrustedProxies(text: string | undefined): number {
  if (text === undefined) return 0
  if (!/^[0-9]$/.test(text)) throw new Error('MINISEAL_TRUSTED_PROXIES must be a number from 0 to 9')
  return Number(text)
}
