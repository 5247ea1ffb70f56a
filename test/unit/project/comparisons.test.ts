/** Where something secret, or made with a secret, is compared, the time tells nothing: a list of the places, and of what may not be there. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = new URL('../../..', import.meta.url).pathname

function sourcesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name))
}

const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const sources = ['crypto', 'service', 'miniprogram/client'].flatMap(sourcesOf)

/** What is compared where. Boxes are opened by libsodium or tweetnacl, JWTs by `jose`, signatures by the curves. */
const places = [
  [
    'the digest of a content, which a signature covers',
    'crypto/http-signatures/content-digest.ts',
    'equalBytes(',
  ],
  [
    'the keyed digest of an auditor’s token',
    'service/admin/api/accounts.ts',
    'equalBytes(record.tokenHash, bind(',
  ],
  [
    'the token for /metrics',
    'service/observability/metrics-route.ts',
    'timingSafeEqual(digest(given), digest(token))',
  ],
  [
    'the keyed fingerprint of a request',
    'service/channel/idempotency.ts',
    'equalBytes(record.fingerprint, claim.fingerprint)',
  ],
  [
    'the keyed fingerprint of a confirmed request',
    'service/channel/step-up.ts',
    'equalBytes(asked.fingerprint, fingerprint)',
  ],
  ['WeChat’s signature with the session_key', 'service/wechat/encrypted-data.ts', 'timingSafeEqual('],
  ['the keyed tag of a person', 'service/tlog/receipts.ts', 'equalBytes(tag, row.userBlindIndex)'],
  ['the session of a socket', 'service/transport/socket.ts', 'equalBytes('],
] as const

it.each(places)('compares in constant time: %s (%s)', (_what, file, expression) => {
  expect(read(file)).toContain(expression)
})

it('compares byte strings in no other way, but to bring them into an order', () => {
  // What explains a capture compares digests and bodies that its reader holds.
  const others = sources
    .filter((file) => !file.startsWith('service/explain/'))
    // The first bytes of a connection: public.
    .filter((file) => file !== 'service/transport/upgrades.ts')
    .filter((file) => /Buffer\.compare\([^()]*\) *[!=]==|\.equals\(/.test(read(file)))
  expect(others).toEqual([])
})

describe('what is named like a secret', () => {
  const name =
    /(?:mac|tag|token|secret|digest|hash|password|signature|fingerprint|challenge|salt)(?:s|Bytes|Text|Hex)?$/i
  const harmless = /^(?:undefined|null|true|false|['"`].*|[0-9].*|[A-Z0-9_]+|[\w.?]*length)$/

  /** Whether a line of code compares, with ===, a thing with such a name and a thing that is no constant. */
  function isComparing(line: string): boolean {
    if (/^\s*(?:\/\/|\/?\*)/.test(line)) return false
    return [...line.matchAll(/([\w.?]+)(?:\([^()]*\))? [!=]== ([\w.?]+|['"`])/g)].some(
      ([, left = '', right = '']) => {
        return (name.test(left) || name.test(right)) && !harmless.test(left) && !harmless.test(right)
      },
    )
  }

  /** Each with its reason. */
  const allowed: readonly (readonly [string, RegExp, string])[] = [
    [
      'crypto/',
      /tagOf\((?:member|input)\) [!=]== (?:tag\b|\w+\.)/,
      'the tag parameter of a signature is public',
    ],
    [
      'service/tlog/evidence/check-evidence.ts',
      /contentDigest\(|signed !== pay\.request_digest/,
      'both are in the bundle, which its reader holds',
    ],
    [
      'service/wechat/access-tokens.ts',
      /cache\.get\(appid\)\?\.token === token/,
      'both are our own; nobody outside names one',
    ],
    [
      'service/tlog/sealed-details.ts',
      /salt\.toString\('base64'\) !== group\.salt/,
      'both are one value in two forms',
    ],
    [
      'service/explain/search.ts',
      /digest\('hex'\) === digest/,
      'the digest of a capture, which its reader holds',
    ],
    ['service/wechat/', /invalidUserSignature/, 'the code of an error'],
    ['service/wechat/configured-apps.ts', /sandboxApp\.secret/, 'the secret that everybody knows'],
    ['service/wechat/sandbox/', /secret === app\.secret|=== signature/, 'the sandbox keeps no secret'],
    ['miniprogram/client/delivery.ts', /session\.token === token/, 'both are the device’s own'],
  ]

  it('is compared with === nowhere but where nothing can be learned', () => {
    const found = sources.flatMap((file) =>
      read(file)
        .split('\n')
        .filter(isComparing)
        .filter((line) => !allowed.some(([path, pattern]) => file.startsWith(path) && pattern.test(line)))
        .map((line) => `${file}: ${line.trim()}`),
    )
    expect(found).toEqual([])
  })

  it('would be found', () => {
    expect(isComparing('  if (given.mac === expected) return')).toBe(true)
    expect(isComparing('  return tokenHash !== found')).toBe(true)
    expect(isComparing('  return digest(given) === expected')).toBe(true)
    expect(isComparing('  if (token === undefined) return')).toBe(false)
    expect(isComparing("  if (tag === 'sig' || hash.length !== size) return")).toBe(false)
  })
})
