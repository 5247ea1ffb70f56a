/** `GET /receipts/{id}`: receipts of the user's own requests, verified with the published formulas only. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { decodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { parseLeaf, verifyCommitment } from '../../../crypto/tlog/audit-leaf.ts'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { hashLeaf, verifyInclusion } from '../../../crypto/tlog/merkle.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import type { PendingEntry } from '../../../service/store/tlog-entries.ts'
import { leafIdText, newLeafId } from '../../../service/tlog/entry.ts'
import type { LogReader } from '../../../service/tlog/reader.ts'
import { createReceipts } from '../../../service/tlog/receipts.ts'
import { sealDetail } from '../../../service/tlog/sealed-details.ts'
import type { SubjectKeys } from '../../../service/tlog/subject-keys.ts'
import { describeWithBothDatabases } from '../../support/both-databases.ts'
import { sharedDatabase, sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, type ReceivedReply, random, transferOf } from '../../support/raw-client.ts'

describeWithBothDatabases('receipts', (create) => {
  const database = sharedDatabase(create)
  const service = sharedService(() => ({ environment: database.environment }))
  const session = sharedSession(service, { openid: 'openid-of-a-payer' })

  /** The leaf hash that a signed answer cites, b64u. */
  function cited(received: ReceivedReply): string {
    const field = findField(received.fields, 'miniseal-receipt') ?? ''
    return encodeBase64Url(decodeBase64(field.slice(1, -1)))
  }

  async function proved(name: string, by = session): Promise<ReceivedReply> {
    for (let tries = 0; tries < 60; tries++) {
      const received = await by.send({ path: `/receipts/${name}` })
      if (received.status !== 202) return received
      expect(received.json).toMatchObject({ state: 'pending', leaf: expect.any(String) })
      expect(Object.keys(received.json).sort()).toEqual(['id', 'leaf', 'state'])
      await sleep(100)
    }
    throw new Error('it stays pending')
  }

  const transfer = () => transferOf(7)

  it('receipts prove a request against a signed checkpoint, with its disclosures, by hash and by id', async () => {
    const name = cited(await session.send(transfer()))
    const received = await proved(name)
    expect(received.status).toBe(200)
    expect(findField(received.fields, 'cache-control')).toBe('private, max-age=3600')
    const { id, leaf, index, size, proof, checkpoint, groups } = received.json
    const bytes = decodeBase64(leaf)
    const hash = hashLeaf(sodiumPrimitives, bytes)
    expect(encodeBase64Url(hash)).toBe(name)
    const read = parseLeaf(bytes)
    expect(read).toMatchObject({ id, kind: 'request', result: 'ok' })
    const signed = parseCheckpointNote(checkpoint).checkpoint
    expect(signed.size).toBe(size)
    const hashes = proof.map((text: string) => decodeBase64(text))
    expect(() => verifyInclusion(sodiumPrimitives, hash, index, signed, hashes)).not.toThrow()
    expect(() => verifyInclusion(sodiumPrimitives, hash, index + 1, signed, hashes)).toThrow()
    expect(Object.keys(groups).sort()).toEqual(['core', 'net', 'pay', 'sig', 'sub'])
    for (const label of ['core', 'net', 'pay', 'sig', 'sub'] as const) {
      const { salt, value } = groups[label]
      verifyCommitment(sodiumPrimitives, read, label, decodeBase64(salt), encodeUtf8(value))
    }
    expect(JSON.parse(groups.sub.value).user).toBe(session.user)
    expect((await proved(id)).json.leaf).toBe(leaf)
  })

  it('receipts are available only to the user they are about', async () => {
    const name = cited(await session.send(transfer()))
    const { json } = await proved(name)
    const stranger = await logIn(service, { openid: 'openid-of-a-stranger' })
    for (const path of [`/receipts/${name}`, `/receipts/${json.id}`]) {
      const received = await stranger.send({ path })
      expect(received).toMatchObject({ status: 404, json: { code: 'not_found' } })
      expect(JSON.stringify(received.json)).not.toContain(json.leaf)
    }
    // The same user sees them on another device.
    const other = await logIn(service, { openid: 'openid-of-a-payer' })
    expect((await proved(name, other)).status).toBe(200)
  })

  it('receipts exist for logins and refusals', async () => {
    const refused = await session.send({ ...transfer(), key: undefined })
    expect(refused.json.code).toBe('idempotency_missing')
    const { leaf } = (await proved(cited(refused))).json
    expect(parseLeaf(decodeBase64(leaf))).toMatchObject({ kind: 'request', result: 'refused' })
  })

  it('receipts with an unknown id are not_found', async () => {
    const names = [randomUUID(), 'a'.repeat(43), 'x', '', '../wallet', `${'a'.repeat(42)}=`, '00'.repeat(32)]
    for (const name of names) {
      if (name.includes('..')) continue
      const received = await session.send({ path: `/receipts/${name}` })
      expect(received.json.code, name).toBe('not_found')
    }
    const written = await session.send({ method: 'DELETE', path: `/receipts/${randomUUID()}` })
    expect(written.json.code).toBe('not_found')
  })

  it('receipts are part of the signed response but not of the stored one: a replay cites its own entry', async () => {
    const parts = { ...transfer(), key: 'twice' }
    const first = await session.send(parts)
    const second = await session.send(parts)
    expect(findField(second.fields, 'idempotency-replayed')).toBe('true')
    expect(cited(second)).not.toBe(cited(first))
    expect(second.fields.filter(([name]) => name === 'miniseal-receipt')).toHaveLength(1)
    expect(findField(first.fields, 'signature-input')).toContain('"miniseal-receipt"')
    expect((await proved(cited(first))).json.leaf).not.toBe((await proved(cited(second))).json.leaf)
  })
})

it('a receipt is not available to another user with the same blind index', async () => {
  const id = newLeafId(Date.now())
  const [key, index] = [random(32), random(16)]
  const groups = new Map([['sub', { salt: random(32), value: '{"user":"u_own"}' }]])
  const row = { id, leaf: random(8), detail: sealDetail(groups, id, key), userBlindIndex: index }
  const receipts = createReceipts({
    store: { findPending: async () => row as unknown as PendingEntry },
    reader: { entryById: async () => undefined } as unknown as LogReader,
    keys: { find: async () => ({ key }) } as unknown as SubjectKeys,
    blindIndexOf: () => index,
  })
  expect((await receipts.read(leafIdText(id), 'u_own')).status).toBe(202)
  await expect(receipts.read(leafIdText(id), 'u_other')).rejects.toMatchObject({ code: 'not_found' })
})
