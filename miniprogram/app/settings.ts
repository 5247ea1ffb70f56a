/**
 * Which service this mini program talks to, and whose root keys it pins. `npm run build:app -- --origin … --appid …
 * --root …` writes them anew.
 */
export interface Settings {
  /** As the request domain in WeChat's console, lower case, without a path. */
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
