/** What a mode does not start with or without: production refuses every development default. */
import type { Mode } from './environment.ts'

/** Where requests go: to what the configuration names, or to an app that is mounted in this process. */
export type BackendSource = 'configured' | 'mounted'

interface Needed {
  readonly HOST: string
  readonly MINISEAL_ORIGIN?: string | undefined
  readonly MINISEAL_MASTER_KEY?: string | undefined
  readonly MINISEAL_WECHAT_APPS?: string | undefined
  readonly MINISEAL_UPSTREAMS?: string | undefined
  readonly MINISEAL_ROUTES_FILE?: string | undefined
}

/** @returns a line for the operator for each thing that is missing, or not fit for this mode */
export function findUnfit(mode: Mode, values: Needed, backend: BackendSource): string[] {
  if (mode === 'production') return missingInProduction(values, backend)
  if (isLoopbackAddress(values.HOST)) return []
  // The sandbox lets anybody in as anybody.
  return [
    'HOST must be 127.0.0.1, ::1 or localhost in development: put a tunnel in front of it, or use NODE_ENV=production',
  ]
}

function isLoopbackAddress(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host)
}

function missingInProduction(values: Needed, backend: BackendSource): string[] {
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
