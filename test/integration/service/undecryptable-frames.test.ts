/** Every frame that does not open gets the same answer, in about the same time, whichever part is wrong. */
import { expect, it } from 'vitest'
import { encodeFrame, parseFrame } from '../../../crypto/frames/frame.ts'
import { sealHandshakeRequest } from '../../../crypto/frames/handshake.ts'
import { sealRequest } from '../../../crypto/frames/session-keys.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { post, prepareLogin, random } from '../../support/raw-client.ts'

const service = sharedService()
const session = sharedSession(service)

const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice()
  const place = at < 0 ? copy.length + at : at
  copy[place] = (copy[place] ?? 0) ^ 1
  return copy
}

/** Frames of one session that do not open, created for each attempt. The tag is the first 16 bytes of the box, at 42. */
const brokenRequests: Readonly<Record<string, () => Uint8Array>> = {
  'another key': () =>
    sealRequest(
      primitives,
      { c2s: random(32), s2c: random(32) },
      session.id,
      random(24),
      new Uint8Array(512),
    ),
  'the first byte of the tag': () => flip(session.prepare().frame, 42),
  'the last byte of the tag': () => flip(session.prepare().frame, 57),
  'the first byte of the content': () => flip(session.prepare().frame, 58),
  'the last byte of the content': () => flip(session.prepare().frame, -1),
  'the last byte missing': () => session.prepare().frame.slice(0, -1),
  'one byte more': () => Uint8Array.of(...session.prepare().frame, 0),
  'another nonce': () => flip(session.prepare().frame, 20),
  'the box of another session': () => {
    const frame = parseFrame(session.prepare().frame, 1_048_576)
    if (frame.kind !== 'request') throw new Error('not a request')
    return encodeFrame({ ...frame, box: random(frame.box.length) })
  },
}

/** Everything on the wire except the time and the request id. */
async function wireOf(frame: Uint8Array): Promise<string> {
  const response = await post(service, frame)
  const headers = [...response.headers].filter(([name]) => name !== 'date').sort()
  const body = (await response.text())
    .replace(/"time":\d+/, '"time":0')
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
  return JSON.stringify([response.status, headers, body])
}

async function wiresOf(kinds: Readonly<Record<string, () => Uint8Array>>): Promise<Set<string>> {
  const wires = new Set<string>()
  for (const make of Object.values(kinds)) wires.add(await wireOf(make()))
  return wires
}

/** The least time of each kind, which other load on the machine cannot lower. The kinds alternate. */
async function leastTimesOf(
  kinds: Readonly<Record<string, () => Uint8Array>>,
  rounds: number,
): Promise<readonly number[]> {
  const times = Object.entries(kinds).map(([, make]) => ({ make, least: Number.POSITIVE_INFINITY }))
  for (let round = 0; round < rounds; round++) {
    for (const kind of times) {
      const frame = kind.make()
      const startedAt = performance.now()
      await (await post(service, frame)).arrayBuffer()
      kind.least = Math.min(kind.least, performance.now() - startedAt)
    }
  }
  return times.map(({ least }) => least)
}

it('a request that is not decrypted gets the same response bytes for every cause', async () => {
  const wires = await wiresOf(brokenRequests)
  expect(wires.size).toBe(1)
  expect([...wires][0]).toContain('cannot_open')
})

it('a request that is not decrypted takes the same order of time for every cause', async () => {
  const times = await leastTimesOf(brokenRequests, 25)
  expect(Math.max(...times) / Math.min(...times)).toBeLessThan(10)
})

it('the response reveals only whether the session exists, as the protocol specifies', async () => {
  const unknown = () => {
    const frame = session.prepare().frame.slice()
    frame.set(random(16), 2)
    return frame
  }
  const wires = await wiresOf({ a: unknown, b: () => flip(unknown(), 42), c: () => flip(unknown(), -1) })
  expect(wires.size).toBe(1)
  expect([...wires][0]).toContain('unknown_session')
})

/** A login that does not open, in each of its parts. */
async function brokenLogins(): Promise<Readonly<Record<string, () => Uint8Array>>> {
  const login = (await prepareLogin(service)).frame
  const key = session.configuration.agreement[0]?.publicKey ?? new Uint8Array(32)
  const secretKey = random(32)
  const ephemeral = { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
  const other = sealHandshakeRequest(primitives, key, ephemeral, random(24), new Uint8Array(512)).frame
  return {
    // version, type, kid8, e_c(32), nonce(24), tag(16)
    ...Object.fromEntries([10, 42, 66, 81, 82, -1].map((at) => [`byte ${at}`, () => flip(login, at)])),
    'the last byte missing': () => login.slice(0, -1),
    'the box of another': () => Uint8Array.of(...login.subarray(0, 66), ...other.subarray(66)),
  }
}

it('a login that is not decrypted gets the same response bytes for every cause', async () => {
  const wires = await wiresOf(await brokenLogins())
  expect(wires.size).toBe(1)
  expect([...wires][0]).toContain('cannot_open')
})

it('a login that is not decrypted takes the same order of time for every cause', async () => {
  const kinds = await brokenLogins()
  const times = await leastTimesOf(kinds, 15)
  expect(Math.max(...times) / Math.min(...times)).toBeLessThan(10)
  // None of them was refused by a limit, which would be faster.
  expect([...(await wiresOf(kinds))]).toEqual([expect.stringContaining('cannot_open')])
})
