/** What production does not start without: every development default is refused. */

/** Where requests go: to what the configuration names, or to an app that is mounted in this process. */
export type BackendSource = 'configured' | 'mounted'

interface Needed {
  readonly MINISEAL_ORIGIN?: string | undefined
  readonly MINISEAL_MASTER_KEY?: string | undefined
  readonly MINISEAL_WECHAT_APPS?: string | undefined
  readonly MINISEAL_UPSTREAMS?: string | undefined
  readonly MINISEAL_ROUTES_FILE?: string | undefined
}

/** @returns a line for the operator for each one that is missing */
export function missingInProduction(values: Needed, backend: BackendSource): string[] {
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
  if (backend === 'configured' && (values.MINISEAL_UPSTREAMS ?? values.MINISEAL_ROUTES_FILE) === undefined) {
    missing.push(
      'MINISEAL_UPSTREAMS (or MINISEAL_ROUTES_FILE) is missing: your backends, for example /wallet=http://10.0.0.5:9001',
    )
  }
  return missing
}
