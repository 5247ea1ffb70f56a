/** What a login keeps of a user, wrapped in the user's row. */
import { decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import type { SecretContext } from '../keys/wrapping.ts'
import { secretContext } from '../keys/wrapping.ts'
import type { WechatIdentity } from '../wechat/client.ts'
import type { ExchangeContext } from './context.ts'

const columns = { openid: 'users.openid_wrapped', sessionKey: 'users.session_key_wrapped' } as const

type UserSecret = keyof typeof columns

export function wrapUserSecret(
  { wrapper }: Pick<ExchangeContext, 'wrapper'>,
  user: string,
  secret: UserSecret,
  identity: WechatIdentity,
): Uint8Array {
  return wrapper.wrap(encodeUtf8(identity[secret]), contextOf(user, secret))
}

/** @throws StoreUnavailable; Error when the secret cannot be unwrapped. */
export async function readUserSecret(
  { store, wrapper }: Pick<ExchangeContext, 'store' | 'wrapper'>,
  user: string,
  secret: UserSecret,
): Promise<string> {
  const record = await store.findUser(user)
  if (record === undefined) throw new Error('an active session has no user')
  return decodeUtf8(wrapper.unwrap(record[`${secret}Wrapped`], contextOf(user, secret)))
}

function contextOf(user: string, secret: UserSecret): SecretContext {
  return secretContext(columns[secret], [user])
}
