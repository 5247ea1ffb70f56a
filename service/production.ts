/** What production has no default for: each variable, and how to make it. */

/** The variables that matter here, as they were given. */
type Values = Readonly<
  Partial<
    Record<
      | 'MINISEAL_ORIGIN'
      | 'MINISEAL_MASTER_KEY'
      | 'MINISEAL_WECHAT_APPS'
      | 'MINISEAL_UPSTREAMS'
      | 'MINISEAL_ROUTES_FILE',
      string | undefined
    >
  >
>

/**
 * Names what is missing, a line each.
 *
 * @param needsUpstreams false where a backend is mounted in this process
 */
export function missingInProduction(values: Values, needsUpstreams: boolean): string[] {
  const missing: string[] = []
  if (values.MINISEAL_ORIGIN === undefined) {
    missing.push('MINISEAL_ORIGIN is missing: the public origin, for example https://pay.example.com')
  }
  if (values.MINISEAL_MASTER_KEY === undefined) {
    missing.push(
      'MINISEAL_MASTER_KEY (or MINISEAL_MASTER_KEY_FILE) is missing: make one with: openssl rand -base64 32',
    )
  }
  if (values.MINISEAL_WECHAT_APPS === undefined) {
    missing.push(
      'MINISEAL_WECHAT_APPS (or MINISEAL_WECHAT_APPS_FILE) is missing: appid:secret from the WeChat console',
    )
  }
  if (needsUpstreams && (values.MINISEAL_UPSTREAMS ?? values.MINISEAL_ROUTES_FILE) === undefined) {
    missing.push(
      'MINISEAL_UPSTREAMS (or MINISEAL_ROUTES_FILE) is missing: your backends, for example /wallet=http://10.0.0.5:9001',
    )
  }
  return missing
}
