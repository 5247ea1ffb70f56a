/** A log over HTTP (C2SP tlog-tiles), as the source of a check. Responses are attacker-controlled. */
import { boundedFetch } from '../bounded-fetch.ts'
import type { FoundEntry, LogSource, SignedTree } from './check-tree.ts'
import { tileWidth } from './recomputed-tree.ts'

/** The log cannot be read; the message is for the auditor. */
export class HttpLogFailed extends Error {}

/** Bytes: 256 entries of at most 65,535 bytes, each with its length. */
const maxBundleLength = tileWidth * 65_537

/** Milliseconds for one resource. */
const deadline = 30_000

/** The signed note as it is served. @throws HttpLogFailed */
export async function readHttpCheckpoint(url: string): Promise<string> {
  return Buffer.from(await get(`${base(url)}/checkpoint`, undefined, 65_536)).toString('utf8')
}

/**
 * @param token of an auditor; without it leaf hashes are read from the lowest tiles, and entries are not read
 * @param claimed the trees to compare with
 */
export function httpLog(
  url: string,
  token: string | undefined,
  { size, root }: SignedTree,
  claimed: readonly SignedTree[],
): LogSource<FoundEntry> {
  const widthOf = (level: number, index: number): number =>
    Math.min(tileWidth, Math.floor(size / tileWidth ** level) - index * tileWidth)
  let last: { readonly path: string; readonly hashes: Uint8Array } | undefined
  const tile = async (level: number, index: number): Promise<Uint8Array | undefined> => {
    const width = widthOf(level, index)
    if (width <= 0) return undefined
    const path = `${base(url)}/tile/${level}/${pathOf(index, width)}`
    // A tile is read when its entries are hashed, and again when it is complete.
    if (last?.path !== path) last = { path, hashes: await get(path, undefined, 8_192) }
    return last.hashes
  }
  return {
    name: 'log',
    size,
    root,
    tile,
    async *entries(from) {
      for (let index = Math.floor(from / tileWidth); index * tileWidth < size; index++) {
        const first = index * tileWidth
        const location = `${base(url)}/tile/entries/${pathOf(index, widthOf(0, index))}`
        if (token === undefined) yield readHashes((await tile(0, index)) ?? new Uint8Array(0), first)
        else yield readBundle(await get(location, token, maxBundleLength), first, location)
      }
    },
    async *signedTrees(from) {
      yield* [...claimed].filter((claim) => claim.size >= from).sort((a, b) => a.size - b.size)
    },
  }
}

function base(url: string): string {
  return url.replace(/\/+$/, '')
}

/** `x001/x234/067`, with `.p/W` for a partial tile. */
function pathOf(index: number, width: number): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? []
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return width < tileWidth ? `${path}.p/${width}` : path
}

function readHashes(hashes: Uint8Array, first: number): readonly FoundEntry[] {
  return Array.from({ length: Math.floor(hashes.length / 32) }, (_, i) => {
    return { index: first + i, leaf: undefined, hash: hashes.slice(i * 32, (i + 1) * 32) }
  })
}

function readBundle(bytes: Uint8Array, first: number, location: string): readonly FoundEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const entries: FoundEntry[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + (at + 2 <= bytes.length ? view.getUint16(at) : 0)
    if (end > bytes.length || entries.length === tileWidth)
      throw new HttpLogFailed(`${location} is not an entry bundle`)
    entries.push({ index: first + entries.length, leaf: bytes.slice(at + 2, end) })
    at = end
  }
  return entries
}

async function get(url: string, token: string | undefined, maxLength: number): Promise<Uint8Array> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { status, bytes } = await boundedFetch(
    url,
    { headers, deadline, maxLength },
    (reason) => new HttpLogFailed(`${url} cannot be read: ${reason}`),
  )
  if (status >= 200 && status < 300) return bytes
  throw new HttpLogFailed(
    `${url} returned status ${status}${status === 401 ? ': the token is not accepted' : ''}`,
  )
}
