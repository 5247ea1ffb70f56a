/** `handshake.pml`: the key exchange against an attacker who owns the network, with the agreement key stolen or not. */
import { describe, expect, it } from 'vitest'
import { search } from './spin.ts'

const model = new URL('./handshake.pml', import.meta.url).pathname

/** As Spin prints them: names of an mtype by their number, the last one first. */
const [service, device] = [1, 3]
const properties = {
  agreement: `(signer[at]!=${device})||(ephemeral[at]==${device})`,
  once: 'logins<=1',
  service: `peer==${service}`,
  code: `(person[at]!=${device})||(signer[at]==${device})`,
}

/** @returns the first assertion that does not hold, without the spaces and outer brackets that Spin gives it */
async function violatedWith(...defines: readonly string[]): Promise<string | undefined> {
  const { violated } = await search(model, defines)
  return violated?.replace(/ /g, '')
}

describe('the model of the handshake', () => {
  it.each(['RUNS=2', 'RUNS=3'])(
    'agrees on e_c, keeps session keys secret and takes a login once, whenever the agreement key leaks: %s',
    { timeout: 600_000 },
    async (bound) => {
      for (const leak of ['CODE', 'STOLEN_BEFORE', 'STOLEN_AFTER']) {
        const { states, violated } = await search(model, [bound, leak])
        expect([leak, violated, states > 20]).toEqual([leak, undefined, true])
      }
      // A code that was spent before S leaked gives nobody anything.
      expect(await violatedWith(bound, 'STOLEN_AFTER', 'CODE')).toBeUndefined()
    },
  )

  it('finds the relay without `handshake` in the signed login, once the agreement key has leaked', async () => {
    expect(await violatedWith('WITHOUT_HANDSHAKE')).toBeUndefined()
    expect(await violatedWith('WITHOUT_HANDSHAKE', 'STOLEN_BEFORE')).toContain(properties.agreement)
    // As the device sees it: it agrees with the attacker, who shows it the answer that the service has signed.
    const relayed = await violatedWith('WITHOUT_HANDSHAKE', 'STOLEN_BEFORE', 'DEVICE_ONLY')
    expect(relayed).toContain(properties.service)
    expect(await violatedWith('STOLEN_BEFORE', 'DEVICE_ONLY')).toBeUndefined()
  })

  it('finds the second session without a claimed nonce and code', async () => {
    expect(await violatedWith('WITHOUT_NONCE_CLAIM')).toContain(properties.once)
  })

  it('finds what the agreement key still gives: the code of a login that is held back', async () => {
    expect(await violatedWith('STOLEN_BEFORE', 'CODE')).toContain(properties.code)
  })
})
