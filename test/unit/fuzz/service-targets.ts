/** Inputs of the service other than messages: settings, filters of auditors, evidence, requests of witnesses, JSON. */
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
  textTarget('routes-file', operator, [routes, '[{"path":"/","upstream":"https://a"}]'], parseRoutes),
  textTarget('upstreams', operator, ['/a=http://h:1,/b=https://[::1]:2/', '=http://x'], parseUpstreams),
  textTarget('limits', operator, ['user=120/60,in_flight=256', 'body_mib=1'], (text) =>
    parseLimits(text, 'production'),
  ),
  textTarget('trusted-proxies', operator, ['0', '9', '10'], parseTrustedProxies),
  textTarget('retention', operator, ['security=190d,reads=1y,writes=5y'], parseRetention),
  textTarget(
    'risk-policy',
    operator,
    ['0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'],
    parseRiskPolicy,
  ),
  textTarget('push-keys', operator, ['orders=11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'], parsePushKeys),
  textTarget('wechat-apps', operator, ['wx1:secret,wx2:more'], (text) => parseApps(text, 'production')),
  textTarget(
    'master-keys',
    operator,
    [Buffer.alloc(32, 7).toString('base64')],
    parseMasterKeys,
    (keys) => (keys ?? []).map((key) => Buffer.from(key).toString('base64')).join(','),
    'stable',
  ),
  textTarget('log-origin', operator, ['pay.example.com/audit/2026', '[::1]:1/a'], parseLogOrigin),
  textTarget(
    'public-origin',
    operator,
    ['https://pay.example.com', 'http://127.0.0.1:80', 'https://[::1]:443'],
    parseOrigin,
    String,
    'stable',
  ),
  textTarget(
    'database',
    operator,
    ['sqlite:a.db', 'postgres://u@h/d', 'postgres://u@h/d\n9\npostgres://u@h:2/d'],
    (text) => {
      const [database = '', pool, direct] = text.split('\n')
      return parseDatabase({
        MINISEAL_DATABASE: database,
        MINISEAL_POSTGRES_POOL: pool,
        MINISEAL_POSTGRES_DIRECT_URL: direct,
      })
    },
  ),
  textTarget(
    'traces',
    operator,
    ['http://127.0.0.1:4318\notlp\nhttp/json', 'https://[::1]/\nnone\n'],
    (text) => {
      const [endpoint, exporter, protocol] = text.split('\n')
      return parseTraces({
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_TRACES_EXPORTER: exporter,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      })
    },
  ),
  textTarget(
    'environment',
    [ConfigError],
    [
      'NODE_ENV=production\nMINISEAL_ORIGIN=https://a\nMINISEAL_WECHAT_APPS=wx1:x\nPORT=1',
      'HOST=::1\nMINISEAL_LIMITS=user=1/1\nMINISEAL_MAX_DEVICES=3\nMINISEAL_WECHAT_API=https://b\nLOG_LEVEL=warn',
    ],
    (text) => readConfig(environmentOf(text)),
  ),
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
  textTarget(
    'json-content',
    [ProblemError],
    [
      '{"payee":"bob","amount":1}',
      '{"payee":"b","payee":"c","amount":1}',
      '{"pay\\u0065e":"\\"{","amount":1e3}',
    ],
    parseTransfer,
    JSON.stringify,
    'stable',
  ),
  textTarget(
    'auditor-filter',
    [FilterError],
    [
      'from=2026-01-31T08:00:00Z&path=/wallet/*&ip=2001:db8::7',
      'receipt=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
      'user=u_x&kind=request&result=ok&code=replayed',
    ],
    (text) =>
      parseFilter(
        Object.fromEntries(
          text.split('&').map((word) => [word.split('=')[0], word.split('=').slice(1).join('=')]),
        ),
      ),
  ),
  binaryTarget(
    'add-checkpoint',
    [CheckpointRefused, FormatError],
    [
      encodeUtf8(`old 3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n${checkpointOf(70)}`),
      encodeUtf8(`old 0\n\n${checkpointOf(1)}`),
    ],
    parseAddCheckpoint,
  ),
  binaryTarget(
    'evidence-bundle',
    [BundleUnreadable],
    [writeBundle(new Map([['a.json', strToU8('{}')]]), about), zipSync({ 'a.txt': strToU8('a') })],
    readBundle,
  ),
]
