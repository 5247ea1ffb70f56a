/** What each refusal means, in English. Single words in backticks are code, two asterisks are strong. `docs/reference/problems.md` says the same. */
import type { ProtocolCode } from 'miniseal-protocol/errors'

export interface ProblemText {
  readonly means: string
  /** What the client does, or whoever wrote it. */
  readonly client: string
  /** What an operator looks at. */
  readonly operator: string
}

export const problemsEn: Readonly<Record<ProtocolCode, ProblemText>> = {
  malformed_frame: {
    means: 'The body is no frame, or the content type is another.',
    client: 'Update the client. Look for a proxy that changes bodies.',
    operator:
      'See whether a proxy changes bodies or content types in front of `/seal`: it must pass both on as they are.',
  },
  unknown_agreement_key: {
    means: 'The agreement key was rotated away.',
    client: 'By itself: fetch the configuration, log in with a new code.',
    operator:
      'Normal after `miniseal keys rotate agreement`. If it stays, clients cannot reach `/.well-known/miniseal`, or a cache keeps an old one.',
  },
  unknown_session: {
    means: 'The service does not know the session.',
    client: 'By itself: log in, send again.',
    operator:
      'Normal after two hours or a restart with another database. If many, see that every process has the same database.',
  },
  frame_too_large: {
    means: 'The frame is over `max_frame` (1 MiB), or that of a login over 64 KiB.',
    client: 'Send less.',
    operator: 'Bodies over 1 MiB belong elsewhere: upload them to storage and send their digest.',
  },
  cannot_open: {
    means: 'The box was not made with these keys, or a byte was changed.',
    client: 'Send again. If it stays, log in.',
    operator:
      'Single cases are noise from outside. Many: two processes with different master keys, or a proxy that changes bodies.',
  },
  overloaded: {
    means:
      'The service could not do its part, and nothing could be sealed. 429: too many frames, or logins, from this address.',
    client: 'Wait for `Retry-After`, send again.',
    operator:
      'See `/metrics`: frames, handshakes, the database. Limits are in `MINISEAL_LIMITS`. Behind a proxy, `MINISEAL_TRUSTED_PROXIES` must be right, or all users share one limit.',
  },
  signature_missing: {
    means: 'No signature labelled `sig`.',
    client: 'Update the client.',
    operator: 'A client of your own: run `miniseal explain` on the request.',
  },
  signature_malformed: {
    means: 'A signature field cannot be read, a parameter is unknown or of the wrong type.',
    client: 'Update the client.',
    operator: 'A client of your own: run `miniseal explain` on the request.',
  },
  components_incomplete: {
    means: 'The covered components are not exactly the required ones. `detail` lists those.',
    client: 'Update the client.',
    operator: 'A client of your own: run `miniseal explain` on the request.',
  },
  tag_invalid: {
    means: 'The tag is not `miniseal`.',
    client: 'Update the client.',
    operator: 'A signature for another purpose was used. Many: somebody tries things out.',
  },
  alg_not_allowed: {
    means: 'The signature names an algorithm.',
    client: 'Update the client.',
    operator: 'A client of your own: leave the parameter `alg` away.',
  },
  window_invalid: {
    means: '`created` is more than 120 s old or more than 10 s ahead.',
    client: 'By itself: correct the clock by the signature of the answer, sign again.',
    operator: 'If many at once, the clock of the service is wrong: check NTP on every host.',
  },
  digest_mismatch: {
    means: 'The content is not what the digest says.',
    client: 'Update the client.',
    operator:
      'The body changed between signing and sealing: a fault of the client, never of a proxy, which cannot see it.',
  },
  key_unknown: {
    means: 'The signing key is not the one of this session.',
    client: 'Log in.',
    operator:
      'See the device in `miniseal devices list USER`. Behind `/push`: is the key in `MINISEAL_PUSH_KEYS`?',
  },
  key_revoked: {
    means: 'The device was revoked.',
    client: 'Enrol a new device key: log out with `forgetDevice`, log in.',
    operator: 'Somebody revoked it: see the log at `/audit`.',
  },
  signature_invalid: {
    means: 'The signature does not verify.',
    client: 'Stop. Update the client.',
    operator:
      'A client of your own: `miniseal explain` finds the differing byte; in development the refusal carries `base_sha256`. From the published client it is an attack or a broken phone.',
  },
  token_missing: {
    means: 'No `Authorization` field.',
    client: 'Log in.',
    operator: 'A client of your own: every request but the login carries `authorization`.',
  },
  token_invalid: {
    means: 'The token is no good here, or belongs to another session.',
    client: 'Log in.',
    operator: 'After moving to another database or `MINISEAL_ORIGIN`, older tokens end like this.',
  },
  token_expired: {
    means: 'The token is older than ten minutes.',
    client: 'By itself: `POST /sessions/current/token`, send again.',
    operator: 'Normal. If many from everybody, see the clocks.',
  },
  token_key_mismatch: {
    means: 'The token is bound to another key.',
    client: 'Log in.',
    operator: 'A token was used with another device: look at the audit log.',
  },
  replayed: {
    means: 'This nonce was received before.',
    client:
      'Nothing, if the first answer came. Otherwise send again, newly signed, with the same idempotency key.',
    operator:
      'Single cases are retries on a bad network. Many with different sources: somebody replays captured frames, and they are refused.',
  },
  session_ended: {
    means: 'The session is over: logged out, revoked or older than two hours.',
    client: 'By itself: log in, send again.',
    operator: 'Normal.',
  },
  payload_invalid: {
    means:
      'The content is not what the route takes, or exceeds its bounds; or a `GET` or `HEAD` has content; or the method is `CONNECT`, `TRACE` or `TRACK`; or the request is for another origin or appid.',
    client: 'Correct what `detail` names.',
    operator: 'For another origin: `MINISEAL_ORIGIN` is not what clients were built with.',
  },
  not_found: {
    means: 'No route at this path, or what it names is gone.',
    client: 'Correct the path.',
    operator: 'Is the path in `MINISEAL_UPSTREAMS` or `MINISEAL_ROUTES_FILE`? The longest prefix wins.',
  },
  idempotency_missing: {
    means:
      'An unsafe request without an `Idempotency-Key`, or with one that is not a string of 1 to 255 characters.',
    client: 'Send one. The library makes it up where it is missing.',
    operator: 'A client of your own: every unsafe request has its key.',
  },
  idempotency_in_progress: {
    means:
      'The first request with this key is not settled. With `"outcome": "unknown"` nobody can say what came of it.',
    client:
      'Ask again later with the same key. With `unknown`: find out by other means, for example in the list of transfers, before a new key is used.',
    operator:
      'With `unknown`, look at what the backend did: its own record has user and key. See `/audit` for the entry.',
  },
  idempotency_mismatch: {
    means: 'The key was used for another request.',
    client: 'Use a new key for a new request.',
    operator: 'A client of your own uses one key for two things.',
  },
  request_cancelled: {
    means:
      'The key was cancelled with `DELETE /outcomes/{key}` before a request with it ran. Nothing was done, and nothing will be.',
    client: 'Nothing: this is what was asked for. A new attempt has a new key.',
    operator:
      'Normal where people give up. The entry of the cancelling is in `/audit`: `DELETE`, `/outcomes/` and the key in base64url.',
  },
  login_code_invalid: {
    means: 'WeChat does not take the code; codes live five minutes.',
    client: 'Log in again with a new `wx.login` code.',
    operator: 'All of them: appid and secret do not belong together, or the code is of another mini program.',
  },
  login_code_used: {
    means: 'The code was used before.',
    client: 'The same.',
    operator: 'Normal where a login is repeated after an answer was lost.',
  },
  login_blocked: {
    means: 'WeChat blocks this user as high-risk, or ranks them as one whom the service refuses.',
    client: 'Tell the user. Do not repeat.',
    operator: 'By WeChat, or by `MINISEAL_RISK_POLICY`: see `risk` in the log line.',
  },
  login_busy: {
    means: "WeChat's quota of logins is used up.",
    client: 'Wait for `Retry-After`.',
    operator: 'Ask WeChat for a higher quota.',
  },
  wechat_unavailable: {
    means:
      'WeChat gave no usable answer; or appid, secret or quota are wrong; or no risk rank where the service demands one.',
    client: 'Wait for `Retry-After`. Operators: see the log line `wechat`.',
    operator:
      'See the log line `wechat` with `errcode` and `rid`, and `wechat_last_seen` of `/readyz`. 40013 and 40125: appid or secret; 40164: the address of the server is not on the IP list.',
  },
  device_key_refused: {
    means:
      'The device key is malformed or weak, or enrolled for somebody else; or the user has as many devices as allowed (`detail` says so).',
    client:
      'Log out with `forgetDevice`, log in. At the limit: have the user revoke a device from another one.',
    operator: 'The limit is `MINISEAL_MAX_DEVICES`; `miniseal devices list USER` shows them.',
  },
  upstream_unavailable: {
    means:
      'The backend did not answer as it must: no connection, too slow, too large, not HTTP. With `"outcome": "unknown"` **it may have acted.** With `"outcome": "none"` nothing was sent: no connection, the route\'s circuit breaker is open, or too many wait.',
    client: 'With `none`: try again with a new idempotency key. Otherwise ask again with the same one.',
    operator:
      'See the backend: its port, its time, the size of its answers. Limits of a route are in `MINISEAL_ROUTES_FILE`.',
  },
  unavailable: {
    means:
      'The database did not do its part. With `"reason": "storage_full"` the disk is nearly full, and the request was not looked at further. With `"outcome": "unknown"` the request **may have run**: its answer could not be kept.',
    client:
      'Wait for `Retry-After`, send again with the same idempotency key; with `"outcome": "none"`, with a new one.',
    operator:
      'See `/readyz`: the database, the audit log and the disk (below `MINISEAL_DISK_RESERVE` nothing new is taken). A log that is refused takes no payments: `miniseal audit status` says why.',
  },
  internal: {
    means: 'The service failed. With `"outcome": "unknown"` **the request may have run.**',
    client: 'Ask again later with the same idempotency key. Report the UUID of `instance`.',
    operator: 'The log line with this `requestId` has the fault. Please report it.',
  },
  step_up_required: {
    means:
      'The handler wants exactly this request confirmed, or the session does (docs/guides/operations.md, "Login risk"). Carries `challenge` and `summary`, and `WWW-Authenticate: HTTPSig error="insufficient_user_authentication", acr_values="soter"` (RFC 9470).',
    client:
      'Show `summary`, call `wx.startSoterAuthentication`, send the same request with `step-up` and the same key.',
    operator: 'Normal. Which routes ask is in `MINISEAL_ROUTES_FILE` or in the backend.',
  },
  step_up_invalid: {
    means:
      'The confirmation is not for this request, user or device, is older than three minutes, was used before, or WeChat does not confirm it. `detail` says which.',
    client: 'Send the request without `step-up`, to be asked anew.',
    operator: 'Many of one user: somebody tries to get round the confirmation. See the audit log.',
  },
  rate_limited: {
    means:
      "Too many requests of this device, user or app, or pushes of this key. `RateLimit` in the answer says what is left. For `POST /phone-number` also: WeChat's quota is used up.",
    client: 'Wait for `Retry-After`, send again.',
    operator: 'The limits are in `MINISEAL_LIMITS`; `RateLimit-Policy` names the one that was met.',
  },
}
