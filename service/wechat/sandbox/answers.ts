/** WeChat's way of saying no: an errcode with HTTP status 200, and an errmsg that ends in a request id. */

/** A refusal as WeChat sends it. */
export interface Refusal {
  readonly errcode: number
  readonly errmsg: string
}

/** Source of random bytes. */
export type Random = (size: number) => Uint8Array

/** WeChat's texts, as its pages and its community give them. */
const texts: ReadonlyMap<number, string> = new Map([
  [-1, 'system error'],
  [40001, 'invalid credential, access_token is invalid or not latest'],
  [40002, 'invalid grant_type'],
  [40013, 'invalid appid'],
  [40029, 'invalid code'],
  [40125, 'invalid appsecret'],
  [40163, 'code been used'],
  [40226, 'code blocked'],
  [40243, 'AppSecret has been frozen'],
  [41001, 'access_token missing'],
  [41002, 'appid missing'],
  [41004, 'appsecret missing'],
  [41008, 'missing code'],
  [42001, 'access_token expired'],
  [45009, 'reach max api daily quota limit'],
  [45011, 'api minute-quota reach limit, must slower, retry next minute'],
  [47001, 'data format error'],
  [61007, 'api unauthorized'],
  [61010, 'no recent visit of this openid'],
  [87008, 'invalid sig_method'],
  [87009, 'invalid signature'],
])

/** The answer for `errcode`, with a request id of WeChat's form: three groups of eight hexadecimal digits. */
export function refusal(errcode: number, random: Random): Refusal {
  const rid = [0, 1, 2].map(() => Buffer.from(random(4)).toString('hex')).join('-')
  return { errcode, errmsg: `${texts.get(errcode) ?? 'error'}, rid: ${rid}` }
}
