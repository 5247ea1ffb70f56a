/** Clients of the peer in `../peers/dpop.ts`. */
import { createHash, randomUUID } from 'node:crypto'
import type { CryptoKey, JWK } from 'jose'
import { CompactEncrypt, compactDecrypt, importJWK, SignJWT } from 'jose'
import { requestBytes } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { DpopPerson } from '../peers/dpop.ts'
import { peerOrigin } from '../peers/peer.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferAnswer, repeat, transferBody } from './client.ts'

interface Person {
  readonly key: CryptoKey | Uint8Array
  readonly publicKey: JWK
  readonly secrets: DpopPerson
  readonly contentKey: CryptoKey | Uint8Array
}

export function dpopClient({ secrets }: Target): PeerClient {
  const { mode = '', server = '', people = '' } = secrets
  const imported = importPeople(JSON.parse(people), mode)
  const serverKey = importJWK(JSON.parse(server), 'ECDH-ES')
  const make = async (person: Person, token: string, body: string): Promise<Prepared> => {
    const proof = await new SignJWT({
      htm: 'POST',
      htu: `${peerOrigin}/transfers`,
      ath: createHash('sha256').update(token).digest('base64url'),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: person.publicKey })
      .setJti(randomUUID())
      .setIssuedAt()
      .sign(person.key)
    const sealed = await new CompactEncrypt(new TextEncoder().encode(body))
      .setProtectedHeader({ alg: mode, enc: 'A256GCM' })
      .encrypt(mode === 'dir' ? person.contentKey : await serverKey)
    const fields = { 'content-type': 'application/jose', authorization: `DPoP ${token}`, dpop: proof }
    return {
      bytes: requestBytes('POST', '/transfers', fields, sealed),
      check: async (answer) => {
        const { plaintext } = await compactDecrypt(answer.body, person.contentKey)
        assertTransferAnswer(answer, new TextDecoder().decode(plaintext))
      },
    }
  }
  return {
    async prepare(_shape, count, content) {
      const all = await imported
      return await repeat(count, (index) => {
        const person = at(all, index)
        return make(person, person.secrets.token, transferBody(content, index))
      })
    },
    async expired() {
      const person = at(await imported, 0)
      return await make(person, person.secrets.expiredToken, transferBody(200, 0))
    },
  }
}

function at(people: readonly Person[], index: number): Person {
  const person = people[index % people.length]
  if (person === undefined) throw new Error('nobody has enrolled')
  return person
}

async function importPeople(people: readonly DpopPerson[], mode: string): Promise<readonly Person[]> {
  return await Promise.all(
    people.map(async (secrets) => {
      const { kty, crv, x, y } = secrets.key
      return {
        secrets,
        key: await importJWK(secrets.key, 'ES256'),
        publicKey: { kty, crv, x, y } as JWK,
        contentKey: await importJWK(secrets.contentKey, mode === 'dir' ? 'A256GCM' : 'ECDH-ES'),
      }
    }),
  )
}
