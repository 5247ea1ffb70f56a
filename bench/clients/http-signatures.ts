/** Clients of the peer in `../peers/http-signatures.ts`. */
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto'
import type { Request as SignedRequest } from 'http-message-signatures'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import { CompactEncrypt, compactDecrypt, importJWK } from 'jose'
import { fieldOf, requestBytes, type WireAnswer } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { SigningPerson } from '../peers/http-signatures.ts'
import { answerFields, digestField, requestFields, signatureParams } from '../peers/http-signatures.ts'
import { peerOrigin } from '../peers/peer.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferAnswer, repeat, transferBody } from './client.ts'

export function httpSignaturesClient({ secrets }: Target): PeerClient {
  const serverKey = createPublicKey(secrets.server ?? '')
  const verify = createVerifier(serverKey, 'ed25519')
  const people = (JSON.parse(secrets.people ?? '[]') as readonly SigningPerson[]).map((person) => ({
    signer: createSigner(createPrivateKey(person.key), 'ed25519', person.id),
    contentKey: importJWK(person.contentKey, 'A256GCM'),
  }))
  const make = async (index: number, created: Date, body: string): Promise<Prepared> => {
    const person = people[index % people.length]
    if (person === undefined) throw new Error('nobody has enrolled')
    const contentKey = await person.contentKey
    const sealed = await new CompactEncrypt(new TextEncoder().encode(body))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(contentKey)
    const request = await httpbis.signMessage(
      {
        key: person.signer,
        fields: [...requestFields],
        params: [...signatureParams],
        paramValues: { created, nonce: randomUUID(), tag: 'transfer' },
      },
      {
        method: 'POST',
        url: `${peerOrigin}/transfers`,
        headers: { 'content-type': 'application/jose', 'content-digest': digestField(sealed) },
      },
    )
    return {
      bytes: requestBytes('POST', '/transfers', request.headers as Record<string, string>, sealed),
      check: async (answer) => {
        await verifyAnswer(answer, request, verify)
        const { plaintext } = await compactDecrypt(answer.body, contentKey)
        assertTransferAnswer(answer, new TextDecoder().decode(plaintext))
      },
    }
  }
  return {
    prepare: (_shape, count, content) =>
      repeat(count, (index) => make(index, new Date(), transferBody(content, index))),
    expired: () => make(0, new Date(Date.now() - 600_000), transferBody(200, 0)),
  }
}

async function verifyAnswer(
  answer: WireAnswer,
  request: SignedRequest,
  verify: ReturnType<typeof createVerifier>,
): Promise<void> {
  const names = ['content-type', 'content-digest', 'signature', 'signature-input']
  const headers = Object.fromEntries(names.map((name) => [name, fieldOf(answer, name) ?? '']))
  // The package compares the names alone with what is required; the binding to the request is in the signature base.
  const isGood = await httpbis.verifyMessage(
    { keyLookup: async () => ({ verify }), requiredFields: answerFields.slice(0, 3) },
    { status: answer.status, headers },
    request,
  )
  if (isGood !== true) throw new Error('the signature of the answer does not verify')
  if (headers['content-digest'] !== digestField(String(answer.body))) throw new Error('the digest is wrong')
}
