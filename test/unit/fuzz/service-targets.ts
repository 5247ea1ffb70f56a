/** What the service reads besides messages: settings of the operator, words of auditors, evidence, witnesses' requests, JSON. */
import { strToU8, zipSync } from 'fflate'
import { z } from 'zod'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { FilterError, parseFilter } from '../../../service/admin/api/search.ts'
import { parseOrigin, readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { parseRoutes, parseUpstreams } from '../../../service/gateway/routes.ts'
import { parseMasterKeys } from '../../../service/keys/master-keys.ts'
import { parseLimits, parseTrustedProxies } from '../../../service/limits/settings.ts'
import { parseJsonContent } from '../../../service/messages/content.ts'
import { parseTraces } from '../../../service/observability/tracing.ts'
import { ProblemError } from '../../../service/problems/problem-error.ts'
import { parseRiskPolicy } from '../../../service/sessions/risk-policy.ts'
import { parseDatabase } from '../../../service/store/open-store.ts'
import { BundleUnreadable, readBundle, writeBundle } from '../../../service/tlog/evidence/bundle.ts'
import { parseOrigin as parseLogOrigin, parseRetention } from '../../../service/tlog/settings.ts'
import { parsePushKeys } from '../../../service/transport/push.ts'
import { parseApps } from '../../../service/wechat/apps.ts'
import { CheckpointRefused, parseAddCheckpoint } from '../../../service/witness/witness.ts'
import { unsigned } from '../crypto/fixed-inputs.ts'
import { checkpointOf } from '../crypto/fixed-log.ts'
import { binaryTarget, type Target, textTarget } from './target.ts'

/** A message for the operator. The engine's own TypeError, RangeError and SyntaxError are other classes. */
const operator = [Error]

const routes = JSON.stringify([
  {
    path: '/orders/',
    upstream: 'http://127.0.0.1:9001',
    methods: ['GET', 'POST'],
    max_body: 1000,
    timeout_ms: 3000,
    idempotent: true,
    step_up: { when: 'always' },
  },
])

const settings: readonly Target[] = [
  textTarget('routes-file', {
    seeds: [routes, '[{"path":"/","upstream":"https://a"}]'],
    refusals: operator,
    parse: parseRoutes,
  }),
  textTarget('upstreams', {
    seeds: ['/a=http://h:1,/b=https://[::1]:2/', '=http://x'],
    refusals: operator,
    parse: parseUpstreams,
  }),
  textTarget('limits', {
    seeds: ['user=120/60,in_flight=256', 'body_mib=1'],
    refusals: operator,
    parse: (text) => parseLimits(text, 'production'),
  }),
  textTarget('trusted-proxies', { seeds: ['0', '9', '10'], refusals: operator, parse: parseTrustedProxies }),
  textTarget('retention', {
    seeds: ['security=190d,reads=1y,writes=5y'],
    refusals: operator,
    parse: parseRetention,
  }),
  textTarget('risk-policy', {
    seeds: ['0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'],
    refusals: operator,
    parse: parseRiskPolicy,
  }),
  textTarget('push-keys', {
    seeds: ['orders=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'],
    refusals: operator,
    parse: parsePushKeys,
  }),
  textTarget('wechat-apps', {
    seeds: ['wx1:secret,wx2:more'],
    refusals: operator,
    parse: (text) => parseApps(text, 'production'),
  }),
  textTarget('master-keys', {
    seeds: [Buffer.alloc(32, 7).toString('base64')],
    refusals: operator,
    parse: parseMasterKeys,
    encode: (keys) => (keys ?? []).map((key) => Buffer.from(key).toString('base64')).join(','),
    form: 'stable',
  }),
  textTarget('log-origin', {
    seeds: ['pay.example.com/audit/2026', '[::1]:1/a'],
    refusals: operator,
    parse: parseLogOrigin,
  }),
  textTarget('public-origin', {
    seeds: ['https://pay.example.com', 'http://127.0.0.1:80', 'https://[::1]:443'],
    refusals: operator,
    parse: parseOrigin,
    encode: String,
    form: 'stable',
  }),
  textTarget('database', {
    seeds: ['sqlite:a.db', 'postgres://u@h/d', 'postgres://u@h/d\n9\npostgres://u@h:2/d'],
    refusals: operator,
    parse: (text) => {
      const [database = '', pool, direct] = text.split('\n')
      return parseDatabase({
        MINISEAL_DATABASE: database,
        MINISEAL_POSTGRES_POOL: pool,
        MINISEAL_POSTGRES_DIRECT_URL: direct,
      })
    },
  }),
  textTarget('traces', {
    seeds: ['http://127.0.0.1:4318\notlp\nhttp/json', 'https://[::1]/\nnone\n'],
    refusals: operator,
    parse: (text) => {
      const [endpoint, exporter, protocol] = text.split('\n')
      return parseTraces({
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_TRACES_EXPORTER: exporter,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      })
    },
  }),
  textTarget('environment', {
    seeds: [
      'NODE_ENV=production\nMINISEAL_ORIGIN=https://a\nMINISEAL_WECHAT_APPS=wx1:x\nPORT=1',
      'HOST=::1\nMINISEAL_LIMITS=user=1/1\nMINISEAL_MAX_DEVICES=3\nMINISEAL_WECHAT_API=https://b\nLOG_LEVEL=warn',
    ],
    refusals: [ConfigError],
    parse: (text) => readConfig(environmentOf(text)),
  }),
]

/** Lines of NAME=value, without those that name a file. */
function environmentOf(text: string): Readonly<Record<string, string>> {
  const pairs = text
    .split('\n')
    .map((line) => [line.split('=')[0] ?? '', line.split('=').slice(1).join('=')] as const)
  // Without a key of its own, development makes one on the disk.
  const key = { MINISEAL_MASTER_KEY: Buffer.alloc(32, 1).toString('base64') }
  return { ...Object.fromEntries(pairs.filter(([name]) => !/FILE|DATA/.test(name))), ...key }
}

const shape = z.strictObject({ payee: z.string(), amount: z.int() })

/** What `hasDuplicateMember` leaves is read in one way. */
function parseTransfer(text: string): unknown {
  const fields = [['content-type', 'application/json']] as const
  return parseJsonContent({ ...unsigned.transfer, fields, content: encodeUtf8(text) }, shape)
}

const about = { id: 'a', origin: 'a/b', groups: ['core'] }

export const serviceTargets: readonly Target[] = [
  ...settings,
  textTarget('json-content', {
    seeds: [
      '{"payee":"bob","amount":1}',
      '{"payee":"b","payee":"c","amount":1}',
      '{"pay\\u0065e":"\\"{","amount":1e3}',
    ],
    refusals: [ProblemError],
    parse: parseTransfer,
    encode: JSON.stringify,
    form: 'stable',
  }),
  textTarget('auditor-filter', {
    seeds: [
      'from=2026-01-31T08:00:00Z&path=/wallet/*&ip=2001:db8::7',
      'receipt=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
      'user=u_x&kind=request&result=ok&code=replayed',
    ],
    refusals: [FilterError],
    parse: (text) =>
      parseFilter(
        Object.fromEntries(
          text.split('&').map((word) => [word.split('=')[0], word.split('=').slice(1).join('=')]),
        ),
      ),
  }),
  binaryTarget('add-checkpoint', {
    seeds: [
      encodeUtf8(`old 3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n${checkpointOf(70)}`),
      encodeUtf8(`old 0\n\n${checkpointOf(1)}`),
    ],
    refusals: [CheckpointRefused, FormatError],
    parse: parseAddCheckpoint,
  }),
  binaryTarget('evidence-bundle', {
    seeds: [writeBundle(new Map([['a.json', strToU8('{}')]]), about), zipSync({ 'a.txt': strToU8('a') })],
    refusals: [BundleUnreadable],
    parse: readBundle,
  }),
]
