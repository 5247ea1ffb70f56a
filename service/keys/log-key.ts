/** Which of the log's keys clients are told to verify checkpoints with. */
import type { Keyring } from './keyring.ts'
import { configurationLifetime } from './keyring.ts'
import type { ServiceKey } from './service-key.ts'

/**
 * The log key of a configuration made at `now`: the newest one that has signed for a configuration's lifetime.
 *
 * After a rotation every checkpoint carries a signature of both keys. A new key is announced only after a day: by then
 * the checkpoints that clients are shown have its signature, whichever process made them. The old one signs for a day
 * more, for clients that hold a configuration with it. So nobody ever misses the signature they look for.
 *
 * Where no key is that old, on the first day or when the old one was ended at once, it is the oldest one.
 *
 * @throws KeyMissing.
 */
export function announcedLogKey(keyring: Keyring, now: number): ServiceKey {
  const signing = keyring.published('log', now).filter(({ notBefore }) => notBefore <= now)
  const settled = signing.find(({ notBefore }) => notBefore + configurationLifetime <= now)
  return settled ?? signing.at(-1) ?? keyring.current('log', now)
}
