/**
 * The service of the mini program and its pinned root keys. `npm run build:app -- --origin … --appid … --root …`
 * overwrites them.
 */
export interface Settings {
  /** Lower case, without a path; also the request domain in the WeChat console. */
  readonly origin: string
  readonly appid: string
  /** base64url, from `npx miniseal keys export`. */
  readonly roots: readonly string[]
}

export const settings: Settings = {
  origin: 'http://127.0.0.1:8787',
  appid: 'wx0123456789abcdef',
  roots: [],
}
