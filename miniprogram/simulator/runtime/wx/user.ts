/** The WeChat user of this phone: login codes and biometric confirmations, from the service's sandbox. */
import { askForFinger } from '../overlays.ts'
import { phone, post } from '../settings.ts'
import { ApiFailure } from './api.ts'
import { language } from './device.ts'
import { readEntry, writeEntry } from './storage.ts'

/** Made up once for each browser and phone: two people who try it are four users. */
function openid(): string {
  const kept = readEntry('sandbox-openid')
  if (typeof kept === 'string') return kept
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  const made = `demo-${phone}-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
  writeEntry('sandbox-openid', made)
  return made
}

/** The name that this WeChat user has given themselves. */
export function nickname(): string {
  const number = Number.parseInt(openid().slice(-4), 16) % 90
  return `${phone === 'a' ? '小明' : '小红'}${number + 10}`
}

export const userCalls = {
  login: () => post('wechat/code', { openid: openid() }),
  checkIsSupportSoterAuthentication: () => ({ supportMode: ['fingerPrint'] }),
  checkIsSoterEnrolledInDevice: () => ({ isEnrolled: true }),
  startSoterAuthentication: async ({
    challenge,
    authContent,
  }: {
    challenge: string
    authContent?: string
  }) => {
    if (challenge === '' || challenge.length > 512) throw new ApiFailure('no challenge', { errCode: 90004 })
    const touched = await askForFinger(authContent ?? '', language().startsWith('zh'))
    if (touched !== 'confirmed') throw new ApiFailure('cancel', { errCode: 90008 })
    const signed = await post('wechat/soter', { openid: openid(), challenge })
    return { ...signed, authMode: 'fingerPrint', errCode: 0 }
  },
}
