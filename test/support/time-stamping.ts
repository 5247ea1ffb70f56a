/** A time-stamping authority (RFC 3161): `openssl ts` behind an HTTP server, with its own certificate. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const configuration = `
[req]
distinguished_name = name
prompt = no
[name]
CN = a time-stamping authority of a test
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = authority
[authority]
serial = serial
crypto_device = builtin
signer_cert = signer.pem
certs = ca.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

export interface TimeStampingAuthority {
  readonly url: string
  /** A replacement of the response, for faults. */
  answer: (query: Buffer, request: IncomingMessage, response: ServerResponse) => void
  /** The DER of a valid response to a query. */
  reply(query: Buffer): Buffer
  /** The DER of a response to a query that this authority rejects. */
  refusal(): Buffer
  /** Whether `openssl ts -verify` accepts a token for a digest by this authority. */
  verifies(token: Uint8Array, digest: Uint8Array): boolean
  close(): void
}

export async function startTimeStamping(): Promise<TimeStampingAuthority> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-tsa-'))
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', timeout: 20_000 })
  }
  makeCertificates(folder, openssl)
  const reply = (query: Buffer): Buffer => {
    writeFileSync(join(folder, 'query'), query)
    openssl('ts', '-reply', '-config', 'tsa.cnf', '-queryfile', 'query', '-out', 'reply')
    return readFileSync(join(folder, 'reply'))
  }
  const authority: TimeStampingAuthority = {
    url: '',
    answer: (query, _request, response) => {
      response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(reply(query))
    },
    reply,
    refusal() {
      openssl('ts', '-query', '-digest', '00'.repeat(64), '-sha512', '-out', 'refused')
      return reply(readFileSync(join(folder, 'refused')))
    },
    verifies(token, digest) {
      writeFileSync(join(folder, 'token'), token)
      const hex = Buffer.from(digest).toString('hex')
      try {
        openssl('ts', '-verify', '-digest', hex, '-in', 'token', '-token_in', '-CAfile', 'ca.pem')
        return true
      } catch {
        return false
      }
    },
    close() {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => authority.answer(Buffer.concat(parts), request, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return Object.assign(authority, { url: `http://127.0.0.1:${address.port}/tsa` })
}

function makeCertificates(folder: string, openssl: (...args: readonly string[]) => void): void {
  writeFileSync(join(folder, 'tsa.cnf'), configuration)
  writeFileSync(join(folder, 'serial'), '01\n')
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-config', 'tsa.cnf']
  openssl('req', '-x509', ...key, '-extensions', 'ca', '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl('req', '-new', ...key, '-keyout', 'signer.key', '-out', 'signer.csr')
  const extensions = ['-extfile', 'tsa.cnf', '-extensions', 'signer']
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
  openssl('x509', '-req', '-in', 'signer.csr', ...by, ...extensions, '-out', 'signer.pem')
}
