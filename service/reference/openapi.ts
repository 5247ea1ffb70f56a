/** The OpenAPI 3.1 document of the inner API, made of the shapes that the handlers themselves are typed and checked by. */
import type { ZodType } from 'zod'
import { z } from 'zod'
import { problemCodes, problemRow } from '../problems/catalogue.ts'
import { problemDocument } from '../problems/document.ts'
import type { Operation } from './inner-operations.ts'
import { operations } from './inner-operations.ts'
import {
  description,
  idempotencyDescription,
  securityDescription,
  stepUpDescription,
} from './openapi-text.ts'

/** JSON. */
export interface JsonObject {
  readonly [name: string]: unknown
}

/** The version of the protocol, and of this document with it. */
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
    servers: [{ url: origin, description: 'Within sealed frames only.' }],
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
  const told: Readonly<Record<Operation['tag'], string>> = {
    sessions: 'Login, tokens, and the sessions of a user.',
    devices: 'The devices of a user.',
    events: 'Messages for a user, polled or pushed.',
    receipts: 'Proofs from the audit log, for a user’s own requests.',
    outcomes:
      'What came of a request, by its Idempotency-Key; and the end of a key that nothing has run with.',
    wechat: 'What WeChat knows of the user.',
  }
  return Object.entries(told).map(([name, text]) => ({ name, description: text }))
}

function paths(): JsonObject {
  const made: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const methods = made[operation.path] ?? {}
    made[operation.path] = methods
    methods[operation.method] = operationObject(operation)
  }
  return made
}

function operationObject(operation: Operation): JsonObject {
  const { id, tag, summary, body, isLogin } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    ...(isLogin === true ? { security: [] } : {}),
    parameters: parametersOf(operation),
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
        Object.entries(operation.replies).map(([status, shape]) => [status, replyObject(shape)]),
      ),
      default: { $ref: '#/components/responses/Refusal' },
    },
  }
}

function replyObject(shape: ZodType | undefined): JsonObject {
  if (shape === undefined) return { description: 'Done. There is nothing to say.' }
  return {
    description: 'Signed and sealed.',
    content: { 'application/json': { schema: schemaOf(shape, 'output') } },
  }
}

function parametersOf({ method, named, query, isLogin, needsNoKey }: Operation): readonly JsonObject[] {
  const hasEffect = method !== 'get' && isLogin !== true && needsNoKey !== true
  return [
    ...(named === undefined
      ? []
      : [{ name: 'id', in: 'path', required: true, description: named, schema: { type: 'string' } }]),
    ...(query ?? []).map(({ name, description: text, ...schema }) => ({
      ...{ name, in: 'query', required: false, description: text },
      schema: { type: 'integer', ...schema },
    })),
    ...(hasEffect
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

/** Any of the sealed codes; the table says which status each has. */
function refusal(): JsonObject {
  const rows = problemCodes.map(problemRow).filter(({ isClear }) => !isClear)
  const lines = rows.map(({ code, status, texts }) => `- \`${code}\` ${status}: ${texts.en.title}`)
  return {
    description: `A refusal. Its code is one of\n\n${lines.join('\n')}`,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

/** @param io what a client may send, or what the service says */
function schemaOf(shape: ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io, target: 'draft-2020-12' })
  return schema
}
