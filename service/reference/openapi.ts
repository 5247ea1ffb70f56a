/** The OpenAPI 3.1 document of the inner API, generated from the routes of the channel. */
import { type ZodType, z } from 'zod'
import type { Route } from '../channel/routes/route.ts'
import { routes } from '../channel/routes/table.ts'
import { problemCodes, problemRow } from '../problems/catalogue.ts'
import { problemDocument } from '../problems/document.ts'

const description = `The inner API: requests that travel sealed within Miniseal's channel. They are not sent as plain HTTP.

**The channel.** Each request is an ordinary HTTP request, signed by the device, written as Binary HTTP (RFC 9292) and
sealed into a frame. Only the frame is sent: \`POST /seal\` with \`Content-Type: application/vnd.miniseal\`, a
socket (\`GET /seal\`, subprotocol \`miniseal.v1\`), or WeChat's cloud hosting. The answer is \`200\` with a frame,
whatever the inner status is. The client library in \`miniprogram/client\` does this; so does \`npx miniseal call\`. The
bytes are specified in \`docs/reference/protocol.md\`.

**The signature.** RFC 9421, label \`sig\`, Ed25519, no \`alg\`, parameters \`created\`, \`nonce\`, \`keyid\`,
\`tag="miniseal"\`. It covers \`@method\`, \`@authority\`, \`@path\`, \`@query\` and, where they are present,
\`content-type\`, \`content-encoding\`, \`content-digest\`, \`authorization\`, \`idempotency-key\`, \`if-none-match\`,
\`step-up\`. Every answer is signed by the service and bound to its request.

**Effects.** Every request but GET, HEAD and OPTIONS needs \`Idempotency-Key\`, a structured string. The same key gives
the same answer again, with \`Idempotency-Replayed: true\`.

**Confirmation.** Any request may be answered with \`step_up_required\`: the same request is then sent with \`step-up\`.

**Refusals** are problem documents (RFC 9457) with a code from a closed list; each code has a page at its \`type\`. Where
there is no key to seal with, a refusal is sent in the clear, as the answer to \`POST /seal\` itself.

Every other path goes to the backends behind the service.`

const securityDescription = `\`Authorization: HTTPSig <access token>\`: a JWT of ten minutes, bound by
\`cnf.jkt\` to the device key that signs the request. Without that signature it is useless.`

const idempotencyDescription =
  'A structured string (RFC 8941) of 1 to 255 characters, in quotes. A retry has the same key, a new signature and a new nonce.'

const stepUpDescription =
  'The biometric confirmation of exactly this request: challenge="…", json=:…:, sig=:…: (RFC 8941).'

/** JSON. */
export interface JsonObject {
  readonly [name: string]: unknown
}

/** The version of the protocol and of this document. */
const version = '1.0.0'

/** @param origin of the service, which is the inner `@authority` */
export function openApiDocument(origin: string): JsonObject {
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Miniseal, inner API',
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: origin, description: 'Within encrypted frames only.' }],
    security: [{ HTTPSig: [] }],
    tags: tags(),
    paths: paths(),
    components: {
      securitySchemes: {
        HTTPSig: { type: 'http', scheme: 'HTTPSig', description: securityDescription },
      },
      parameters: parameters(),
      responses: { Refusal: refusal() },
      schemas: { Problem: schemaOf(problemDocument, 'output') },
    },
  }
}

function tags(): readonly JsonObject[] {
  const descriptions: Readonly<Record<Route['tag'], string>> = {
    sessions: 'Login, tokens, and the sessions of a user.',
    devices: 'The devices of a user.',
    events: 'Events for a user, polled or pushed.',
    receipts: 'Proofs from the audit log, for a user’s own requests.',
    outcomes: 'The outcome of a request, by its Idempotency-Key, and the cancellation of a key.',
    wechat: 'User data from WeChat.',
  }
  return Object.entries(descriptions).map(([name, text]) => ({ name, description: text }))
}

function paths(): JsonObject {
  const methodsOf: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const methods = methodsOf[route.path] ?? {}
    methodsOf[route.path] = methods
    methods[route.method.toLowerCase()] = operationObject(route)
  }
  return methodsOf
}

function operationObject(route: Route): JsonObject {
  const { id, tag, summary, description: text, body, frame } = route
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(text === undefined ? {} : { description: text }),
    ...(frame === 'handshake' ? { security: [] } : {}),
    parameters: parametersOf(route),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.replies).map(([status, shape]) => [status, replyObject(shape)]),
      ),
      default: { $ref: '#/components/responses/Refusal' },
    },
  }
}

function replyObject(shape: ZodType | undefined): JsonObject {
  if (shape === undefined) return { description: 'Done. No content.' }
  return {
    description: 'Signed and sealed.',
    content: { 'application/json': { schema: schemaOf(shape, 'output') } },
  }
}

function parametersOf({ path, parameter, query = {}, idempotency }: Route): readonly JsonObject[] {
  const [, name] = /\{(\w+)\}$/.exec(path) ?? []
  return [
    ...(name === undefined
      ? []
      : [{ name, in: 'path', required: true, description: parameter, schema: { type: 'string' } }]),
    ...Object.entries(query).map(([queryName, { description: text, ...schema }]) => ({
      ...{ name: queryName, in: 'query', required: false, description: text },
      schema: { type: 'integer', ...schema },
    })),
    ...(idempotency === 'required'
      ? [{ $ref: '#/components/parameters/IdempotencyKey' }, { $ref: '#/components/parameters/StepUp' }]
      : []),
  ]
}

function parameters(): JsonObject {
  const header = (name: string, required: boolean, text: string): JsonObject => ({
    ...{ name, in: 'header', required, description: text },
    schema: { type: 'string' },
  })
  return {
    IdempotencyKey: header('Idempotency-Key', true, idempotencyDescription),
    StepUp: header('Step-Up', false, stepUpDescription),
  }
}

/** A refusal with any of the sealed codes. */
function refusal(): JsonObject {
  const rows = problemCodes.map(problemRow).filter(({ isClear }) => !isClear)
  const lines = rows.map(({ code, status, texts }) => `- \`${code}\` ${status}: ${texts.en.title}`)
  return {
    description: `A refusal. Its code is one of\n\n${lines.join('\n')}`,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

/** @param io `input` for requests, `output` for answers */
function schemaOf(shape: ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io, target: 'draft-2020-12' })
  return schema
}
