/**
 * SOTER: signs biometric results like a device and verifies them like WeChat: SHA-256 with RSA-PSS and a salt of 20 bytes
 * (typings of wx.startSoterAuthentication).
 */
import {
  constants,
  createHash,
  generateKeyPair,
  type KeyPairKeyObjectResult,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'

/** The result of wx.startSoterAuthentication. */
export interface SoterResult {
  readonly resultJSON: string
  /** Base64. */
  readonly resultJSONSignature: string
}

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 20 }

const signedResult = z.object({ uid: z.string() })

/** One key for all devices. It takes a tenth of a second to generate, so it is generated on first use. */
export function createSoterDevices() {
  const counters = new Map<string, number>()
  let generated: Promise<KeyPairKeyObjectResult> | undefined
  const keyPair = (): Promise<KeyPairKeyObjectResult> => {
    generated ??= promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
    return generated
  }
  return {
    /** Signs a result with `challenge` as `raw`; `counter` increases by one per user. */
    async confirm(openid: string, challenge: string): Promise<SoterResult> {
      const counter = (counters.get(openid) ?? 0) + 1
      counters.set(openid, counter)
      const resultJSON = writeResult({
        ...{ raw: challenge, fid: '1', counter },
        ...{ tee_n: 'sandbox', tee_v: '1.0', fp_n: 'sandbox', fp_v: '1.0' },
        ...{ cpu_id: idOf('cpu', openid), uid: idOf('uid', openid) },
      })
      const { privateKey } = await keyPair()
      const signature = sign('sha256', Buffer.from(resultJSON), { key: privateKey, ...pss })
      return { resultJSON, resultJSONSignature: signature.toString('base64') }
    },
    /** Whether the device of this user signed exactly this text. */
    async isSigned(openid: string, json: string, signature: string): Promise<boolean> {
      const { publicKey } = await keyPair()
      const bytes = Buffer.from(signature, 'base64')
      if (!verify('sha256', Buffer.from(json), { key: publicKey, ...pss }, bytes)) return false
      // Only `confirm` signs, so a text that verifies also parses.
      return signedResult.parse(JSON.parse(json)).uid === idOf('uid', openid)
    },
  }
}

/** A space after each colon, unlike JSON.stringify: serialising a result again breaks its signature. */
function writeResult(fields: Readonly<Record<string, string | number>>): string {
  const members = Object.entries(fields).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`)
  return `{${members.join(',')}}`
}

function idOf(kind: string, openid: string): string {
  return createHash('sha256').update(`${kind} ${openid}`).digest('hex').slice(0, 16)
}
