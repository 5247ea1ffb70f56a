/**
 * Nest 11 on Express: a guard that verifies requests, the filter of its refusals, a parameter decorator for the caller.
 *
 * ```
 * const app = await NestFactory.create(AppModule, { rawBody: true })
 * app.useGlobalGuards(new MinisealGuard({ origin: 'https://pay.example.com' }))
 * app.useGlobalFilters(new MinisealRefusalFilter())
 *
 * @Post() create(@MinisealCaller() caller: Caller, @Body() order: Order) {}
 * ```
 */
import type { ArgumentsHost, CanActivate, ExceptionFilter, ExecutionContext } from '@nestjs/common'
import { Catch, createParamDecorator, HttpException } from '@nestjs/common'
import type { Request, Response } from 'express'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { Verifier } from '../verify.ts'
import { createVerifier } from '../verify.ts'
import type { AdapterOptions, Refusal } from './adapter.ts'
import { boundBody, findRefusal, parseBody, readBody } from './adapter.ts'
import './express.ts'

/**
 * Verifies a request on its raw body: create the application with `rawBody: true`, or with `bodyParser: false` when clients
 * send compressed bodies, which Nest's parser would decode before they are verified. Sets `request.miniseal`,
 * `request.rawBody` and, where Nest did not, `request.body`.
 *
 * Throws {@link MinisealRefusal}: 401 for a request that is not verified, 413 for a large body, 400 for malformed JSON,
 * 503 when the keys cannot be fetched. With neither option, a request with a body causes a TypeError, which is status 500.
 */
export class MinisealGuard implements CanActivate {
  readonly #options: AdapterOptions
  readonly #verify: Verifier

  constructor(options: AdapterOptions) {
    this.#options = options
    this.#verify = createVerifier(options)
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>()
    const refusal = await findRefusal(this.#options, async () => {
      // Nest reads and keeps the bodies that it parses; every other body is still unread.
      const { rawBody } = request
      const body =
        rawBody === undefined
          ? await readBody(request, this.#options.maxBody)
          : boundBody(rawBody, this.#options.maxBody)
      const { method, originalUrl: url, headers, rawHeaders } = request
      request.miniseal = await this.#verify({ method, url, headers, rawHeaders }, body)
      request.rawBody = body
      if (rawBody === undefined) request.body = parseBody(body, headers)
    })
    if (refusal !== undefined) throw new MinisealRefusal(refusal)
    return true
  }
}

/** A refusal of {@link MinisealGuard}; its response is a problem document (RFC 9457). */
export class MinisealRefusal extends HttpException {
  readonly headers: Refusal['headers']

  constructor({ status, headers, problem }: Refusal) {
    super(problem, status)
    this.headers = headers
  }
}

/** Answers refusals as `application/problem+json`. Nest's own filter sends the same document as `application/json`. */
export class MinisealRefusalFilter implements ExceptionFilter<MinisealRefusal> {
  catch(refusal: MinisealRefusal, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>()
    response.writeHead(refusal.getStatus(), refusal.headers).end(JSON.stringify(refusal.getResponse()))
  }
}
Catch(MinisealRefusal)(MinisealRefusalFilter)

/** The verified caller of a route that {@link MinisealGuard} guards. @throws TypeError on any other route. */
export const MinisealCaller: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): Caller => {
    const caller = context.switchToHttp().getRequest<Request>().miniseal
    if (caller === undefined) throw new TypeError('MinisealCaller needs MinisealGuard on the route')
    return caller
  },
)
