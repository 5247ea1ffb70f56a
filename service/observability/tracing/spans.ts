/** Spans of one service, with a tracer of its own: the globals of OpenTelemetry belong to the program around it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context, Span, SpanOptions, Tracer } from '@opentelemetry/api'
import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { ProtocolError } from 'miniseal-protocol/errors'

/** The spans that are open around some work; those within come later. */
interface Scope {
  readonly span: Span
  /** The stage of the exchange that runs. */
  stage?: Span | undefined
}

export interface Spans {
  /** The tracer for the middleware: it opens spans without parents, whatever a request says about its trace. */
  readonly rootTracer: Tracer
  /** Runs `work` in a new span under the present one. What it throws is noted by its code. */
  run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>
  /** A span that has ended by now. */
  past(name: string, milliseconds: number, options: SpanOptions): void
  /** Ends the stage of the present exchange, and begins the next where one is named. */
  stage(name: string | undefined): void
  /** The span that work would be put under now. */
  present(): Span | undefined
}

/** The spans of `tracer`. */
export function createSpans(tracer: Tracer): Spans {
  const scopes = new AsyncLocalStorage<Scope>()

  function present(): Span | undefined {
    const scope = scopes.getStore()
    return scope?.stage ?? scope?.span
  }

  function parent(): Context {
    const span = present()
    return span === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, span)
  }

  async function run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = tracer.startSpan(name, options, parent())
    const scope: Scope = { span }
    try {
      return await scopes.run(scope, () => work(span))
    } catch (error) {
      fail(span, error)
      throw error
    } finally {
      scope.stage?.end()
      span.end()
    }
  }

  function past(name: string, milliseconds: number, options: SpanOptions): void {
    const end = Date.now()
    tracer.startSpan(name, { ...options, startTime: end - milliseconds }, parent()).end(end)
  }

  function stage(name: string | undefined): void {
    const scope = scopes.getStore()
    if (scope === undefined) return
    scope.stage?.end()
    const under = trace.setSpan(ROOT_CONTEXT, scope.span)
    scope.stage = name === undefined ? undefined : tracer.startSpan(name, {}, under)
  }

  /** Its last argument is the work; a context before it comes from the request's own fields, so it is left out. */
  function startActiveSpan(name: string, ...rest: readonly unknown[]): unknown {
    const work = rest.at(-1)
    if (typeof work !== 'function') throw new TypeError('a span needs work')
    const options = rest.length > 1 ? (rest[0] as SpanOptions) : {}
    const span = tracer.startSpan(name, options, ROOT_CONTEXT)
    return scopes.run({ span }, () => work(span))
  }

  const rootTracer = {
    startSpan: (name: string, options?: SpanOptions) => tracer.startSpan(name, options, ROOT_CONTEXT),
    startActiveSpan,
  } as Tracer

  return { rootTracer, run, past, stage, present }
}

/** The code is all that is said of an error: messages may quote what came from outside. */
function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.setAttribute('miniseal.code', error instanceof ProtocolError ? error.code : 'failed')
}
