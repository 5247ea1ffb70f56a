/** Verification of receipts, and every way in which it fails. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { type AuditLeaf, commitment, encodeLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { parseCheckpointNote, signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../../crypto/tlog/cosignature.ts'
import { hashLeaf, hashNode } from '../../../crypto/tlog/merkle.ts'
import { encodeSignatureLine, encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { verifyReceipt } from '../../../miniprogram/client/receipt.ts'
import { sharedFolder, sharedService } from '../../support/hooks.ts'
import { startTestWitness, type TestWitness } from '../../support/test-witness.ts'
import { noble as primitives } from '../../unit/crypto/implementations.ts'
import { createPhone, transfer } from './phone.ts'
import { json } from './scripted-answers.ts'
import { scripted } from './scripted-channel.ts'

const origin = 'pay.example.com/audit'

/** A log of four entries; ours is the third. */
function made() {
  const key = primitives.ed25519KeyPair(randomBytes(32))
  const salt = new Uint8Array(randomBytes(32))
  const value = '{"amount":1250,"method":"POST"}'
  const leaf: AuditLeaf = {
    id: '01932c07-1111-7222-8333-444455556666',
    kind: 'request',
    result: 'ok',
    retention: '190d',
    at: 1_764_000_000_000,
    commitments: { core: commitment(primitives, 'core', salt, encodeUtf8(value)) },
  }
  const bytes = encodeLeaf(leaf)
  const hash = hashLeaf(primitives, bytes)
  const [a, b, d] = ['a', 'b', 'd'].map((text) => hashLeaf(primitives, encodeUtf8(text))) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const left = hashNode(primitives, a, b)
  const root = hashNode(primitives, left, hashNode(primitives, hash, d))
  const signer = { name: origin, ...key }
  const body = {
    id: leaf.id,
    leaf: encodeBase64(bytes),
    index: 2,
    size: 4,
    proof: [encodeBase64(d), encodeBase64(left)],
    checkpoint: signCheckpoint(primitives, { origin, size: 4, root }, [signer]),
    groups: { core: { salt: encodeBase64(salt), value } },
  }
  const vkey = encodeVerifierKey(primitives, { kind: 'ed25519', name: origin, publicKey: key.publicKey })
  return { id: encodeBase64Url(hash), body, vkey, root, signer }
}

type Made = ReturnType<typeof made>

interface Checked extends Pick<Made, 'id' | 'vkey'> {
  readonly body: object
  readonly ended?: readonly string[]
  readonly policy?: string
}

function checked({ id, body, ...log }: Checked) {
  return verifyReceipt(primitives, id, encodeUtf8(JSON.stringify(body)), log)
}

/** The verifier key of the same key under another log's name. */
function renamed({ signer }: Made, name: string): string {
  return encodeVerifierKey(primitives, { kind: 'ed25519', name, publicKey: signer.publicKey })
}

/** Two witnesses of which both are required, and the cosignature of each. */
function witnessed({ body }: Made) {
  const witnesses = ['w1', 'w2'].map((name) => ({ name, ...primitives.ed25519KeyPair(randomBytes(32)) }))
  const lines = witnesses.map(({ name, publicKey }) => {
    return `witness ${name} ${encodeVerifierKey(primitives, { kind: 'cosignature', name, publicKey })}\n`
  })
  const cosigned = witnesses.map((signer) => {
    const signature = cosign(
      primitives,
      parseCheckpointNote(body.checkpoint).note.text,
      signer,
      1_764_000_000,
    )
    return encodeSignatureLine(signature)
  })
  return { policy: `${lines.join('')}group both all w1 w2\nquorum both\n`, cosigned }
}

it('a receipt contains the policy and is verified once the required witnesses have cosigned', () => {
  const right = made()
  const { policy, cosigned } = witnessed(right)
  const withLines = (...more: readonly string[]) => {
    return checked({
      ...right,
      policy,
      body: { ...right.body, checkpoint: right.body.checkpoint + more.join('') },
    })
  }
  expect(withLines(...cosigned)).toMatchObject({
    state: 'verified',
    policy,
    witnesses: ['w1', 'w2'],
    steps: [{}, {}, {}, {}, { name: 'witnesses', state: 'ok' }],
  })
  for (const some of [[], cosigned.slice(1)])
    expect(withLines(...some)).toMatchObject({ state: 'pending', witnesses: [], policy })
  const damaged = (cosigned[0] ?? '').replace(/....\n$/, 'AAA=\n')
  expect(withLines(damaged, cosigned[1] ?? '').state).not.toBe('verified')
  expect(checked({ ...right, policy: 'no policy' }).state).toBe('failed')
})

it('the client verifies a correct receipt and returns its contents', () => {
  const receipt = checked(made())
  expect(receipt).toMatchObject({
    state: 'verified',
    steps: [
      { name: 'leaf', state: 'ok' },
      { name: 'contents', state: 'ok' },
      { name: 'checkpoint', state: 'ok' },
      { name: 'inclusion', state: 'ok' },
    ],
    entry: {
      id: '01932c07-1111-7222-8333-444455556666',
      type: 'request',
      result: 'ok',
      at: 1_764_000_000_000,
    },
    disclosures: { core: { amount: 1250, method: 'POST' } },
    index: 2,
    size: 4,
  })
})

const other = made()
const wrongs: readonly (readonly [string, (right: Made) => object, readonly string[]])[] = [
  ['the entry is another one', () => ({ leaf: other.body.leaf }), ['leaf', 'contents', 'inclusion']],
  [
    'the contents were changed',
    ({ body }) => ({ groups: { core: { ...body.groups.core, value: '{"amount":9999,"method":"POST"}' } } }),
    ['contents'],
  ],
  [
    'a group is added to which the entry does not commit',
    ({ body }) => ({ groups: { ...body.groups, sub: body.groups.core } }),
    ['contents'],
  ],
  ['the index is another one', () => ({ index: 1 }), ['inclusion']],
  ['the proof is too short', ({ body }) => ({ proof: body.proof.slice(1) }), ['inclusion']],
  ['the proof is too long', ({ body }) => ({ proof: [...body.proof, ...body.proof] }), ['inclusion']],
  ['the proof is of another tree', ({ body }) => ({ proof: [...body.proof].reverse() }), ['inclusion']],
  [
    'the checkpoint is of another log',
    () => ({ checkpoint: other.body.checkpoint }),
    ['checkpoint', 'inclusion'],
  ],
  [
    'the checkpoint was changed',
    ({ body }) => ({ checkpoint: body.checkpoint.replace('\n4\n', '\n5\n'), size: 5 }),
    ['checkpoint', 'inclusion'],
  ],
  [
    'the checkpoint is of another origin',
    ({ root, signer }) => ({
      checkpoint: signCheckpoint(primitives, { origin: 'evil.example', size: 4, root }, [
        { ...signer, name: 'evil.example' },
      ]),
    }),
    ['checkpoint', 'inclusion'],
  ],
  ['the size is not that of the checkpoint', () => ({ size: 5 }), ['checkpoint']],
]

it.each(wrongs)('the client fails a receipt when %s', (_what, change, failed) => {
  const right = made()
  const receipt = checked({ ...right, body: { ...right.body, ...change(right) } })
  expect(receipt.state).toBe('failed')
  expect(receipt.steps.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual(failed)
})

it('the client fails a receipt with an invalid log key', () => {
  expect(checked({ ...made(), vkey: 'example' }).steps[2]).toEqual({ name: 'checkpoint', state: 'failed' })
})

it('the client verifies a receipt with the key of any ended log', () => {
  const { vkey, ...receipt } = made()
  const [now, before] = [made(), made()].map((other, i) => renamed(other, `${origin}-${3 - i}`)) as [
    string,
    string,
  ]
  const states = [[], [vkey], [before, vkey], [vkey, before]].map(
    (ended) => checked({ ...receipt, vkey: now, ended }).state,
  )
  expect(states).toEqual(['failed', 'verified', 'verified', 'verified'])
  expect(checked({ ...receipt, vkey, ended: [before] }).state).toBe('verified')
})

it('the client fails a receipt when the signing key is listed for another log only', () => {
  const right = made()
  const { vkey, ...receipt } = right
  const ended = [renamed(right, `${origin}-3`), renamed(made(), origin)]
  const { steps } = checked({ ...receipt, vkey: renamed(right, `${origin}-2`), ended })
  expect(steps[2]).toEqual({ name: 'checkpoint', state: 'failed' })
  expect(checked({ ...receipt, vkey: renamed(right, `${origin}-2`), ended: [vkey] }).state).toBe('verified')
})

it('the client fails a receipt when a known log signed the checkpoint of another log', () => {
  const right = made()
  const other = `${origin}-2`
  const checkpoint = signCheckpoint(primitives, { origin: other, size: 4, root: right.root }, [right.signer])
  const body = { ...right.body, checkpoint }
  const ended = [renamed(made(), other)]
  expect(checked({ ...right, body, ended }).steps[2]).toEqual({ name: 'checkpoint', state: 'failed' })
})

it('a receipt is pending until the entry is included, with its contents already verified', () => {
  const { id, body, vkey } = made()
  const pending = { id: body.id, leaf: body.leaf, groups: body.groups, state: 'pending' }
  expect(checked({ id, vkey, body: pending })).toMatchObject({
    state: 'pending',
    steps: [{ state: 'ok' }, { state: 'ok' }, { state: 'pending' }, { state: 'pending' }],
    index: undefined,
  })
  expect(checked({ id: other.id, vkey, body: pending }).state).toBe('failed')
})

it.each([
  ['nothing', {}],
  ['no base64', { leaf: '!' }],
  ['no proof', { leaf: 'AAAA', index: 1, size: 2, checkpoint: 'x' }],
  ['an unknown group', { leaf: 'AAAA', state: 'pending', groups: { all: { salt: 'AAAA', value: '{}' } } }],
])('the client refuses a malformed receipt (%s)', (_what, body) => {
  const { id, vkey } = made()
  expect(() => checked({ id, vkey, body })).toThrow(expect.objectContaining({ code: 'unexpected_answer' }))
})

it('the client fetches a receipt by the hash in the response and waits for the inclusion of its entry', async () => {
  const { id, body, vkey } = made()
  const { channel, service } = await scripted()
  service.logKey = vkey
  let reads = 0
  service.decide = ({ path }) => {
    if (path === '/wallet') {
      const answer = json(200, {})
      const hash = encodeBase64(new Uint8Array(Buffer.from(id, 'base64url')))
      return { ...answer, fields: [...answer.fields, ['miniseal-receipt', `:${hash}:`]] }
    }
    if (path !== `/receipts/${id}`) return undefined
    reads += 1
    return reads === 1
      ? json(202, { id: body.id, leaf: body.leaf, groups: body.groups, state: 'pending' })
      : json(200, body)
  }
  const answer = await channel.request({ method: 'GET', path: '/wallet' })
  expect(answer.receipt).toBe(id)
  expect((await channel.receipt(id)).state).toBe('verified')
  expect(reads).toBe(2)
})

it('the client fetches the configuration again before it fails a receipt', async () => {
  const { id, body, vkey } = made()
  const { channel, service } = await scripted()
  service.decide = ({ path }) => (path === `/receipts/${id}` ? json(200, body) : undefined)
  await channel.login()
  service.logKey = vkey
  expect((await channel.receipt(id)).state).toBe('verified')
})

it('the client verifies a receipt of a log that ended while the configuration was cached', async () => {
  const { id, body, vkey } = made()
  const { channel, service } = await scripted()
  service.decide = ({ path }) => (path === `/receipts/${id}` ? json(200, body) : undefined)
  await channel.login()
  service.logKey = renamed(made(), `${origin}-2`)
  service.endedLogKeys = [vkey]
  expect((await channel.receipt(id)).state).toBe('verified')
})

it('the client rejects an invalid receipt id and an unknown receipt', async () => {
  const { channel, service } = await scripted()
  await expect(channel.receipt('../wallet')).rejects.toMatchObject({ code: 'request_invalid' })
  service.decide = ({ path }) => (path.startsWith('/receipts/') ? 'not_found' : undefined)
  await expect(channel.receipt('A'.repeat(43))).rejects.toMatchObject({ code: expect.any(String) })
  expect((await channel.request({ method: 'GET', path: '/wallet' })).receipt).toBeUndefined()
})

describe('a receipt of a service with a witness', () => {
  const folder = sharedFolder()
  let witness: TestWitness
  beforeAll(async () => {
    witness = await startTestWitness('w.example', 7)
  })
  afterAll(() => witness.close())
  const service = sharedService(() => {
    const { key, url } = witness.witness
    const path = join(folder, 'policy')
    writeFileSync(path, `witness w ${encodeVerifierKey(primitives, key)} ${url}\nquorum w\n`)
    return { environment: { MINISEAL_LOG_POLICY_FILE: path } }
  })

  it('the client returns a pending receipt until the witness cosigns, and a verified one afterwards', async () => {
    witness.instead = { status: 503, body: '' }
    const { channel } = createPhone(service, 'alice')
    const { receipt: id = '' } = await channel.request(transfer)
    const unseen = await channel.receipt(id)
    expect(unseen).toMatchObject({
      state: 'pending',
      witnesses: [],
      policy: expect.stringContaining('quorum w\n'),
    })
    expect(unseen.steps.slice(0, 4).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok'])
    witness.instead = undefined
    await channel.request({ ...transfer, body: { ...transfer.body, amount: 1 } })
    await expect
      .poll(async () => (await channel.receipt(id)).state, { timeout: 20_000, interval: 200 })
      .toBe('verified')
    expect((await channel.receipt(id)).witnesses).toEqual(['w'])
  })
})
