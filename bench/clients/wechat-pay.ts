/** Clients of the peer in `../peers/wechat-pay.ts`. */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { fieldOf, requestBytes, type WireAnswer } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { PayPerson } from '../peers/wechat-pay.ts'
import { openContent, payScheme, sealContent } from '../peers/wechat-pay.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferAnswer, repeat, transferBody } from './client.ts'

export function wechatPayClient({ secrets }: Target): PeerClient {
  const serverKey = createPublicKey(secrets.server ?? '')
  const people = (JSON.parse(secrets.people ?? '[]') as readonly PayPerson[]).map((person) => ({
    merchant: person.merchant,
    key: createPrivateKey(person.key),
    contentKey: Buffer.from(person.contentKey, 'base64'),
  }))
  const make = async (index: number, timestamp: number, text: string): Promise<Prepared> => {
    const person = people[index % people.length]
    if (person === undefined) throw new Error('nobody has enrolled')
    const body = sealContent(text, person.contentKey)
    const nonce = randomBytes(16).toString('hex')
    const signed = Buffer.from(`POST\n/transfers\n${timestamp}\n${nonce}\n${body}\n`)
    const signature = sign('sha256', signed, person.key).toString('base64')
    const parts = { mchid: person.merchant, nonce_str: nonce, signature, timestamp, serial_no: 'A1B2C3D4' }
    const written = Object.entries(parts).map(([name, value]) => `${name}="${value}"`)
    const fields = {
      'content-type': 'application/json',
      authorization: `${payScheme} ${written.join(',')}`,
    }
    return {
      bytes: requestBytes('POST', '/transfers', fields, body),
      check: async (answer) => {
        const content = String(answer.body)
        const isGood = verify('sha256', signedPart(answer, content), serverKey, signatureOf(answer))
        if (!isGood) throw new Error('the signature of the answer does not verify')
        assertTransferAnswer(answer, openContent(content, person.contentKey))
      },
    }
  }
  const now = (): number => Math.floor(Date.now() / 1_000)
  return {
    prepare: (_shape, count, content) =>
      repeat(count, (index) => make(index, now(), transferBody(content, index))),
    expired: () => make(0, now() - 600, transferBody(200, 0)),
  }
}

function signedPart(answer: WireAnswer, content: string): Buffer {
  const [time, nonce] = [fieldOf(answer, 'wechatpay-timestamp'), fieldOf(answer, 'wechatpay-nonce')]
  return Buffer.from(`${time}\n${nonce}\n${content}\n`)
}

function signatureOf(answer: WireAnswer): Buffer {
  return Buffer.from(fieldOf(answer, 'wechatpay-signature') ?? '', 'base64')
}
