/** Clients of the peer in `../peers/dpop.ts`. */
import { createHash, randomUUID } from 'node:crypto'
import type { CryptoKey, JWK } from 'jose'
import { CompactEncrypt, compactDecrypt, importJWK, SignJWT } from 'jose'
import { requestBytes } from '../load/connection.ts'
import type { Prepared } from '../load/loops.ts'
import type { DpopCredentials } from '../peers/dpop.ts'
import { peerOrigin } from '../peers/peer.ts'
import type { PeerClient, Target } from './client.ts'
import { assertTransferResponse, repeat, transferBody } from './client.ts'

interface Client {
  readonly key: CryptoKey | Uint8Array
  readonly publicKey: JWK
  readonly secrets: DpopCredentials
  readonly contentKey: CryptoKey | Uint8Array
}

export function dpopClient({ secrets }: Target): PeerClient {
  const { mode = '', server = '', clients = '' } = secrets
  const imported = importClients(JSON.parse(clients), mode)
  const serverKey = importJWK(JSON.parse(server), 'ECDH-ES')
  const make = async (client: Client, token: string, body: string): Promise<Prepared> => {
    const proof = await new SignJWT({
      htm: 'POST',
      htu: `${peerOrigin}/transfers`,
      ath: createHash('sha256').update(token).digest('base64url'),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: client.publicKey })
      .setJti(randomUUID())
      .setIssuedAt()
      .sign(client.key)
    const sealed = await new CompactEncrypt(new TextEncoder().encode(body))
      .setProtectedHeader({ alg: mode, enc: 'A256GCM' })
      .encrypt(mode === 'dir' ? client.contentKey : await serverKey)
    const fields = { 'content-type': 'application/jose', authorization: `DPoP ${token}`, dpop: proof }
    return {
      bytes: requestBytes('POST', '/transfers', fields, sealed),
      check: async (response) => {
        const { plaintext } = await compactDecrypt(response.body, client.contentKey)
        assertTransferResponse(response, new TextDecoder().decode(plaintext))
      },
    }
  }
  return {
    async prepare(_shape, count, content) {
      const all = await imported
      return await repeat(count, (index) => {
        const client = at(all, index)
        return make(client, client.secrets.token, transferBody(content, index))
      })
    },
    async expired() {
      const client = at(await imported, 0)
      return await make(client, client.secrets.expiredToken, transferBody(200, 0))
    },
  }
}

function at(clients: readonly Client[], index: number): Client {
  const client = clients[index % clients.length]
  if (client === undefined) throw new Error('no client has enrolled')
  return client
}

async function importClients(clients: readonly DpopCredentials[], mode: string): Promise<readonly Client[]> {
  return await Promise.all(
    clients.map(async (secrets) => {
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
