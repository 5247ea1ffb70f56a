/** An Express backend behind the gateway. The middleware verifies each request before a handler sees it. */
import express from 'express'
import { miniseal } from 'miniseal-verify/express'

const origin = process.env.MINISEAL_ORIGIN ?? 'http://127.0.0.1:8787'
const port = Number(process.env.PORT ?? 9001)

const app = express()
app.use(miniseal({ origin }))
app.post('/orders', (request, response) => {
  const { user, appid, acr } = request.miniseal
  response.status(201).json({ user, appid, acr, order: request.body })
})

app.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`))
