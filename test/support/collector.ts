/** An OTLP collector on loopback (HTTP, JSON) that records spans. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { z } from 'zod'

const value = z.looseObject({ stringValue: z.string().optional(), intValue: z.number().optional() })
const attribute = z.object({ key: z.string(), value })
const span = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: z.array(attribute),
  events: z.array(z.unknown()),
  status: z.looseObject({ code: z.number().optional(), message: z.string().optional() }),
})
const body = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.looseObject({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
})

export interface CollectedSpan {
  readonly trace: string
  readonly id: string
  readonly parent: string | undefined
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** 2 for an error. */
  readonly status: number
  readonly events: number
  /** Nanoseconds. */
  readonly start: bigint
  readonly end: bigint
}

export interface Collector {
  readonly endpoint: string
  readonly spans: CollectedSpan[]
  /** Everything that arrived, as text. */
  text(): string
  /** Of the last request. */
  resource(): Readonly<Record<string, unknown>>
  close(): void
}

/** @param status of every response; `hangs` sends none */
export async function startCollector(status: number | 'hangs' = 200): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const texts: string[] = []
  let resource = {}
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      if (status === 'hangs') return
      texts.push(`${request.method} ${request.url} ${request.headers['content-type']} ${text}`)
      for (const group of body.parse(JSON.parse(text)).resourceSpans) {
        resource = valuesOf(group.resource.attributes)
        spans.push(...group.scopeSpans.flatMap((scope) => scope.spans).map(collected))
      }
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    spans,
    text: () => texts.join('\n'),
    resource: () => resource,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function collected(given: z.infer<typeof span>): CollectedSpan {
  return {
    trace: given.traceId,
    id: given.spanId,
    parent: given.parentSpanId || undefined,
    name: given.name,
    attributes: valuesOf(given.attributes),
    status: given.status.code ?? 0,
    events: given.events.length,
    start: BigInt(given.startTimeUnixNano),
    end: BigInt(given.endTimeUnixNano),
  }
}

function valuesOf(attributes: readonly z.infer<typeof attribute>[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value: held }) => [key, held.stringValue ?? held.intValue]),
  )
}
