/**
 * SOTER: signs biometric results as a device does, and verifies them as WeChat does. SHA-256 with RSA-PSS, salt 20 bytes,
 * as the typings of wx.startSoterAuthentication say.
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

/** The two strings that wx.startSoterAuthentication gives a mini program. */
interface SoterResult {
  readonly resultJSON: string
  /** Base64. */
  readonly resultJSONSignature: string
}

export interface SoterDevices {
  /** Confirms `challenge`: signs it as `raw`; `counter` increases by one per user. */
  confirm(openid: string, challenge: string): Promise<SoterResult>
  /** Whether the device of this user signed exactly this text. */
  isSigned(openid: string, json: string, signature: string): Promise<boolean>
}

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 20 }

const signedResult = z.object({ uid: z.string() })

/** One key for all devices. It is generated on first use: that takes a tenth of a second, and most runs need none. */
export function createSoterDevices(): SoterDevices {
  const counters = new Map<string, number>()
  let generated: Promise<KeyPairKeyObjectResult> | undefined

  function keyPair(): Promise<KeyPairKeyObjectResult> {
    generated ??= promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
    return generated
  }

  async function confirm(openid: string, challenge: string): Promise<SoterResult> {
    const counter = (counters.get(openid) ?? 0) + 1
    counters.set(openid, counter)
    const resultJSON = writeResult({
      raw: challenge,
      fid: '1',
      counter,
      tee_n: 'sandbox',
      tee_v: '1.0',
      fp_n: 'sandbox',
      fp_v: '1.0',
      cpu_id: idOf('cpu', openid),
      uid: idOf('uid', openid),
    })
    const { privateKey } = await keyPair()
    const signature = sign('sha256', Buffer.from(resultJSON), { key: privateKey, ...pss })
    return { resultJSON, resultJSONSignature: signature.toString('base64') }
  }

  async function isSigned(openid: string, json: string, signature: string): Promise<boolean> {
    const { publicKey } = await keyPair()
    const bytes = Buffer.from(signature, 'base64')
    if (!verify('sha256', Buffer.from(json), { key: publicKey, ...pss }, bytes)) return false
    // Only `confirm` makes texts that verify, so this one parses.
    return signedResult.parse(JSON.parse(json)).uid === idOf('uid', openid)
  }

  return { confirm, isSigned }
}

/** With a space after each colon, unlike JSON.stringify: code that re-serialises a result breaks its signature. */
function writeResult(fields: Readonly<Record<string, string | number>>): string {
  const members = Object.entries(fields).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`)
  return `{${members.join(',')}}`
}

function idOf(kind: string, openid: string): string {
  return createHash('sha256').update(`${kind} ${openid}`).digest('hex').slice(0, 16)
}
