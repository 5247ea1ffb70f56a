/** One application per framework with the adapter of `miniseal-verify`: `POST /<name>/orders` echoes caller and body. */
import 'reflect-metadata'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { ArgumentsHost, INestApplication } from '@nestjs/common'
import { Body, Controller, HttpException, Module, Post } from '@nestjs/common'
import { BaseExceptionFilter, HttpAdapterHost, NestFactory } from '@nestjs/core'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { AdapterOptions } from '../../../packages/verify/adapters/adapter.ts'
import { miniseal as expressMiniseal } from '../../../packages/verify/adapters/express.ts'
import { miniseal as fastifyMiniseal } from '../../../packages/verify/adapters/fastify.ts'
import { miniseal as honoMiniseal, type MinisealVariables } from '../../../packages/verify/adapters/hono.ts'
import { miniseal as koaMiniseal, type MinisealState } from '../../../packages/verify/adapters/koa.ts'
import {
  MinisealCaller,
  MinisealGuard,
  MinisealRefusalFilter,
} from '../../../packages/verify/adapters/nest.ts'
import type { Caller } from '../../../packages/verify/index.ts'

export interface Application {
  readonly listener: RequestListener
  close?(): Promise<void>
}

export interface Framework {
  readonly name: string
  /** @param onError called with a fault of the program, which is answered with 500 */
  start(options: AdapterOptions, onError: (error: Error) => void): Promise<Application>
  /** The same, with a body parser before the adapter. */
  startAfterParser(options: AdapterOptions, onError: (error: Error) => void): Promise<Application>
}

type OnError = (error: Error) => void

function startExpress(options: AdapterOptions, onError: OnError, isAfterParser: boolean): Application {
  const app = express()
  if (isAfterParser) app.use(express.json())
  app.use('/express', expressMiniseal(options))
  // A parser after the adapter must leave the body alone.
  app.use(express.json())
  app.post('/express/orders', (request, response) => {
    response.json({ user: request.miniseal?.user, order: request.body })
  })
  app.use(
    (error: Error, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
      onError(error)
      response.status(500).end()
    },
  )
  return { listener: app }
}

async function startFastify(
  options: AdapterOptions,
  onError: OnError,
  isAfterParser: boolean,
): Promise<Application> {
  let listener: RequestListener = () => {}
  const app = fastify({
    serverFactory: (handler) => {
      listener = handler as RequestListener
      return new (class {
        on() {}
        once() {}
        removeListener() {}
      })() as never
    },
  })
  if (isAfterParser)
    app.addHook('preParsing', async (_request, _reply, payload) => {
      for await (const _ of payload);
      return payload
    })
  await app.register(fastifyMiniseal, options)
  app.post('/fastify/orders', (request) => ({ user: request.miniseal?.user, order: request.body }))
  app.setErrorHandler((error, _request, reply) => {
    onError(error as Error)
    reply.code(500).send()
  })
  await app.ready()
  return { listener }
}

function startKoa(options: AdapterOptions, onError: OnError, isAfterParser: boolean): Application {
  const app = new Koa<MinisealState>()
  app.silent = true
  app.on('error', onError)
  if (isAfterParser)
    app.use(async (context, next) => {
      for await (const _ of context.req.iterator({ destroyOnReturn: false }));
      await next()
    })
  app.use(koaMiniseal(options))
  app.use((context) => {
    const { body } = context.request as typeof context.request & { readonly body: unknown }
    context.body = { user: context.state.miniseal.user, order: body }
  })
  return { listener: app.callback() }
}

function startHono(options: AdapterOptions, onError: OnError, isAfterParser: boolean): Application {
  const app = new Hono<{ Variables: MinisealVariables }>()
  if (isAfterParser)
    app.use(async (c, next) => {
      await c.req.text()
      await next()
    })
  app.use(honoMiniseal(options))
  app.post('/hono/orders', async (c) => c.json({ user: c.var.miniseal.user, order: await c.req.json() }))
  app.onError((error, c) => {
    onError(error)
    return c.body(null, 500)
  })
  return { listener: getRequestListener(app.fetch) }
}

class OrdersController {
  create(caller: Caller, order: unknown): object {
    return { user: caller.user, order }
  }
}

class OrdersModule {}

// What decorators would do, in the TypeScript that Node runs without a compiler.
Controller('nest/orders')(OrdersController)
const { prototype } = OrdersController
Post()(prototype, 'create', Object.getOwnPropertyDescriptor(prototype, 'create') as PropertyDescriptor)
MinisealCaller()(prototype, 'create', 0)
Body()(prototype, 'create', 1)
Module({ controllers: [OrdersController] })(OrdersModule)

async function startNest(
  options: AdapterOptions,
  onError: OnError,
  isAfterParser: boolean,
): Promise<Application> {
  const app: INestApplication = await NestFactory.create(OrdersModule, {
    logger: false,
    rawBody: !isAfterParser,
  })
  app.useGlobalGuards(new MinisealGuard(options))
  const { httpAdapter } = app.get(HttpAdapterHost)
  app.useGlobalFilters(
    new (class extends BaseExceptionFilter {
      override catch(error: Error, host: ArgumentsHost) {
        if (!(error instanceof HttpException)) onError(error)
        super.catch(error, host)
      }
    })(httpAdapter),
    new MinisealRefusalFilter(),
  )
  await app.init()
  const listener = app.getHttpAdapter().getInstance() as (
    request: IncomingMessage,
    response: ServerResponse,
  ) => void
  return { listener, close: () => app.close() }
}

function framework(
  name: string,
  start: (
    options: AdapterOptions,
    onError: OnError,
    isAfterParser: boolean,
  ) => Application | Promise<Application>,
): Framework {
  return {
    name,
    start: async (options, onError) => await start(options, onError, false),
    startAfterParser: async (options, onError) => await start(options, onError, true),
  }
}

export const frameworks: readonly Framework[] = [
  framework('express', startExpress),
  framework('fastify', startFastify),
  framework('koa', startKoa),
  framework('hono', startHono),
  framework('nest', startNest),
]
