/** `handshake.pml`: the key exchange against an attacker who controls the network, with and without the agreement key. */
import { expect, it } from 'vitest'
import { search } from './spin.ts'

const model = new URL('./handshake.pml', import.meta.url).pathname

/** As Spin prints them: names of an mtype by number, in reverse order. */
const [service, device] = [1, 3]
const properties = {
  agreement: `(signer[at]!=${device})||(ephemeral[at]==${device})`,
  once: 'logins<=1',
  service: `peer==${service}`,
  code: `(person[at]!=${device})||(signer[at]==${device})`,
}

/** @returns the first violated assertion, without Spin's spaces and outer brackets */
async function violatedWith(...defines: readonly string[]): Promise<string | undefined> {
  const { violated } = await search(model, defines)
  return violated?.replace(/ /g, '')
}

it.each(['RUNS=2', 'RUNS=3'])(
  'the handshake agrees on e_c, keeps session keys secret and accepts a login once, whenever the agreement key leaks: %s',
  { timeout: 600_000 },
  async (bound) => {
    for (const leak of ['CODE', 'STOLEN_BEFORE', 'STOLEN_AFTER']) {
      const { states, violated } = await search(model, [bound, leak])
      expect([leak, violated, states > 20]).toEqual([leak, undefined, true])
    }
    // A code that was used before S leaked is worthless.
    expect(await violatedWith(bound, 'STOLEN_AFTER', 'CODE')).toBeUndefined()
  },
)

it('the model of the handshake finds the relay without `handshake` in the signed login, once the agreement key has leaked', async () => {
  expect(await violatedWith('WITHOUT_HANDSHAKE')).toBeUndefined()
  expect(await violatedWith('WITHOUT_HANDSHAKE', 'STOLEN_BEFORE')).toContain(properties.agreement)
  // The device agrees with the attacker, who relays the response that the service signed.
  const relayed = await violatedWith('WITHOUT_HANDSHAKE', 'STOLEN_BEFORE', 'DEVICE_ONLY')
  expect(relayed).toContain(properties.service)
  expect(await violatedWith('STOLEN_BEFORE', 'DEVICE_ONLY')).toBeUndefined()
})

it('the model of the handshake finds a second session when nonce and code are not claimed', async () => {
  expect(await violatedWith('WITHOUT_NONCE_CLAIM')).toContain(properties.once)
})

it('the model of the handshake finds that the agreement key reveals the code of a delayed login', async () => {
  expect(await violatedWith('STOLEN_BEFORE', 'CODE')).toContain(properties.code)
})
