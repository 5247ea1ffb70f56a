/** The device's Ed25519 key. Its seed is in encrypted storage; a new key is created after storage was cleared. */
import { FormatError } from 'miniseal-protocol/errors'
import type { MessageSigner } from 'miniseal-protocol/http-signatures/signed-request'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import type { Environment } from './environment.ts'
import { wrapErrors } from './errors.ts'

export interface DeviceKey extends MessageSigner {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

const SEED_BYTES = 32

/**
 * Loads the key of this device for this service, or creates one. A new key is stored before it is used; otherwise every
 * launch could enrol another device.
 *
 * @throws ChannelError `storage` or `no_random`.
 */
export async function loadDeviceKey(environment: Environment): Promise<DeviceKey> {
  const primitives = await environment.loadPrimitives()
  const seed = (await findSeed(environment)) ?? (await newSeed(environment))
  const { publicKey, secretKey } = primitives.ed25519KeyPair(seed)
  return { keyid: keyThumbprint(primitives, publicKey), publicKey, secretKey }
}

/** Deletes the key: the next login enrolls a new device. @throws ChannelError `storage`. */
export function forgetDeviceKey(environment: Environment): Promise<void> {
  return wrapErrors('storage', 'the device key cannot be removed', () => {
    return environment.storage.remove(storageKey(environment))
  })
}

/** One key per service, so that services cannot correlate devices. */
function storageKey({ authority }: Environment): string {
  return `miniseal.device-key.${authority}`
}

async function findSeed(environment: Environment): Promise<Uint8Array | undefined> {
  const stored = await wrapErrors('storage', 'the device key cannot be read', () => {
    return environment.storage.get(storageKey(environment))
  })
  if (stored === undefined) return undefined
  try {
    const seed = decodeBase64Url(stored)
    return seed.length === SEED_BYTES ? seed : undefined
  } catch (error) {
    // A damaged seed counts as absent.
    if (error instanceof FormatError) return undefined
    throw error
  }
}

async function newSeed(environment: Environment): Promise<Uint8Array> {
  await environment.random.ready()
  const seed = environment.random.take(SEED_BYTES)
  await wrapErrors('storage', 'the device key cannot be written', () => {
    return environment.storage.set(storageKey(environment), encodeBase64Url(seed))
  })
  return seed
}
