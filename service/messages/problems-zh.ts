/** What each refusal means, in Chinese, with a title. Written as `problems-en.ts` is. */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { ProblemText } from './problems-en.ts'

export const problemsZh: Readonly<Record<ProtocolCode, ProblemText & { readonly title: string }>> = {
  malformed_frame: {
    title: '帧无法读取',
    means: '正文不是帧，或内容类型不对。',
    client: '更新客户端。检查是否有代理改动了正文。',
    operator: '检查 `/seal` 前的代理是否改动正文或内容类型：两者必须原样转发。',
  },
  unknown_agreement_key: {
    title: '协商密钥已停用',
    means: '协商密钥已轮换。',
    client: '自动处理：重新获取配置，用新的 code 登录。',
    operator:
      '执行 `miniseal keys rotate agreement` 之后属正常。若持续出现，说明客户端无法访问 `/.well-known/miniseal`，或缓存保留了旧配置。',
  },
  unknown_session: {
    title: '会话不存在',
    means: '服务不认识这个会话。',
    client: '自动处理：登录后重新发送。',
    operator: '两小时后或换了数据库重启后属正常。若大量出现，请确认所有进程使用同一数据库。',
  },
  frame_too_large: {
    title: '帧太大',
    means: '帧超过 `max_frame`（1 MiB），或登录的帧超过 64 KiB。',
    client: '减少发送内容。',
    operator: '超过 1 MiB 的内容应上传到存储，只发送其摘要。',
  },
  cannot_open: {
    title: '帧无法打开',
    means: '密封不是用这些密钥做的，或有字节被改动。',
    client: '重新发送。若仍如此，请登录。',
    operator: '个别情况是外来噪声。大量出现：两个进程的主密钥不同，或代理改动了正文。',
  },
  overloaded: {
    title: '服务过载',
    means: '服务无法处理，也无法密封应答。429：来自该地址的帧或登录过多。',
    client: '等待 `Retry-After` 后重新发送。',
    operator:
      '查看 `/metrics`：帧、握手、数据库。限额见 `MINISEAL_LIMITS`。在代理之后必须正确设置 `MINISEAL_TRUSTED_PROXIES`，否则所有用户共用一个限额。',
  },
  signature_missing: {
    title: '请求没有签名',
    means: '没有标签为 `sig` 的签名。',
    client: '更新客户端。',
    operator: '自研客户端：对该请求运行 `miniseal explain`。',
  },
  signature_malformed: {
    title: '签名无法读取',
    means: '签名字段无法读取，或参数未知、类型不对。',
    client: '更新客户端。',
    operator: '自研客户端：对该请求运行 `miniseal explain`。',
  },
  components_incomplete: {
    title: '签名没有覆盖必须的内容',
    means: '被覆盖的组件与要求的不完全一致。`detail` 列出要求的组件。',
    client: '更新客户端。',
    operator: '自研客户端：对该请求运行 `miniseal explain`。',
  },
  tag_invalid: {
    title: '签名另有用途',
    means: 'tag 不是 `miniseal`。',
    client: '更新客户端。',
    operator: '用了其他用途的签名。大量出现：有人在试探。',
  },
  alg_not_allowed: {
    title: '签名写明了算法',
    means: '签名写明了算法。',
    client: '更新客户端。',
    operator: '自研客户端：去掉参数 `alg`。',
  },
  window_invalid: {
    title: '签名时间不在接受的范围内',
    means: '`created` 早于 120 秒之前，或晚于 10 秒之后。',
    client: '自动处理：按答复签名的时间校正时钟，重新签名。',
    operator: '若同时大量出现，是服务的时钟不对：检查每台主机的 NTP。',
  },
  digest_mismatch: {
    title: '正文与摘要不符',
    means: '正文与摘要不符。',
    client: '更新客户端。',
    operator: '正文在签名与密封之间被改动：是客户端的错误，代理看不到正文，不可能是代理。',
  },
  key_unknown: {
    title: '签名密钥不属于这个会话',
    means: '签名密钥不属于这个会话。',
    client: '登录。',
    operator: '用 `miniseal devices list USER` 查看设备。若是 `/push`：该密钥在 `MINISEAL_PUSH_KEYS` 中吗？',
  },
  key_revoked: {
    title: '签名密钥已被撤销',
    means: '该设备已被撤销。',
    client: '登记新的设备密钥：用 `forgetDevice` 退出，再登录。',
    operator: '有人撤销了它：见 `/audit` 的日志。',
  },
  signature_invalid: {
    title: '签名验证不通过',
    means: '签名验证不通过。',
    client: '停止。更新客户端。',
    operator:
      '自研客户端：`miniseal explain` 能找到不同的字节；开发模式下拒绝中带有 `base_sha256`。若来自正式客户端，则是攻击或手机故障。',
  },
  token_missing: {
    title: '缺少访问令牌',
    means: '没有 `Authorization` 字段。',
    client: '登录。',
    operator: '自研客户端：除登录外每个请求都带 `authorization`。',
  },
  token_invalid: {
    title: '访问令牌无效',
    means: '令牌在此无效，或属于另一个会话。',
    client: '登录。',
    operator: '更换数据库或 `MINISEAL_ORIGIN` 之后，旧令牌会这样结束。',
  },
  token_expired: {
    title: '访问令牌已过期',
    means: '令牌已超过十分钟。',
    client: '自动处理：`POST /sessions/current/token`，再重新发送。',
    operator: '属正常。若人人如此，请检查时钟。',
  },
  token_key_mismatch: {
    title: '访问令牌属于另一把密钥',
    means: '令牌绑定的是另一把密钥。',
    client: '登录。',
    operator: '令牌被用在另一台设备上：请查看审计日志。',
  },
  replayed: {
    title: '请求已收到过',
    means: '这个 nonce 已经收到过。',
    client: '若已收到第一次的应答，无需处理。否则用同一个幂等键重新签名发送。',
    operator: '个别情况是网络不好时的重试。来源不同且大量：有人在重放截获的帧，均已被拒绝。',
  },
  session_ended: {
    title: '会话已结束',
    means: '会话已结束：已退出、被撤销或超过两小时。',
    client: '自动处理：登录后重新发送。',
    operator: '属正常。',
  },
  payload_invalid: {
    title: '内容不是该路由所要的',
    means:
      '内容不是该路由所要的，或超出其限度；或 `GET`、`HEAD` 请求带有内容；或方法为 `CONNECT`、`TRACE`、`TRACK`；或请求属于另一个源或 appid。',
    client: '更正 `detail` 指出的内容。',
    operator: '若属于另一个源：`MINISEAL_ORIGIN` 与构建客户端时的不同。',
  },
  not_found: {
    title: '没有找到',
    means: '没有这个路径的路由，或它所指的已不存在。',
    client: '更正路径。',
    operator: '该路径在 `MINISEAL_UPSTREAMS` 或 `MINISEAL_ROUTES_FILE` 中吗？最长的前缀优先。',
  },
  idempotency_missing: {
    title: '请求需要 Idempotency-Key',
    means: '有副作用的请求没有 `Idempotency-Key`，或它不是 1 至 255 个字符的字符串。',
    client: '请带上它。客户端库会在缺少时自动生成。',
    operator: '自研客户端：每个有副作用的请求都要有自己的键。',
  },
  idempotency_in_progress: {
    title: '使用该 Idempotency-Key 的请求尚无结果',
    means: '使用该键的第一个请求尚未有结果。若带 `"outcome": "unknown"`，则没有人知道结果如何。',
    client: '稍后用同一个键再问。若为 `unknown`：先用其他办法查明，例如查看转账列表，再使用新的键。',
    operator: '若为 `unknown`，请查后端做了什么：它自己的记录中有用户和键。记录见 `/audit`。',
  },
  idempotency_mismatch: {
    title: '该 Idempotency-Key 已用于另一个请求',
    means: '该键已用于另一个请求。',
    client: '新的请求使用新的键。',
    operator: '自研客户端把一个键用于两件事。',
  },
  request_cancelled: {
    title: '请求在执行前已取消',
    means: '该键已用 `DELETE /outcomes/{key}` 取消，当时还没有请求用它执行过。什么都没有发生，以后也不会。',
    client: '无需处理：这正是所要求的。重新发起时使用新的键。',
    operator: '用户放弃时属正常。取消的记录在 `/audit`：`DELETE`、`/outcomes/` 与 base64url 形式的键。',
  },
  login_code_invalid: {
    title: '登录 code 无效',
    means: '微信不接受这个 code；code 有效五分钟。',
    client: '用新的 `wx.login` code 重新登录。',
    operator: '若全部如此：appid 与 secret 不匹配，或 code 属于另一个小程序。',
  },
  login_code_used: {
    title: '登录 code 已被用过',
    means: 'code 已被用过。',
    client: '同上。',
    operator: '应答丢失后重复登录时属正常。',
  },
  login_blocked: {
    title: '登录因高风险被阻止',
    means: '微信将该用户判为高风险，或其等级被服务拒绝。',
    client: '告知用户。不要重试。',
    operator: '由微信或 `MINISEAL_RISK_POLICY` 拒绝：见日志行中的 `risk`。',
  },
  login_busy: {
    title: '当前登录过多',
    means: '微信的登录额度已用完。',
    client: '等待 `Retry-After`。',
    operator: '向微信申请更高的额度。',
  },
  wechat_unavailable: {
    title: '微信不可用',
    means: '微信没有给出可用的应答；或 appid、secret、额度不对；或服务要求风险等级而没有得到。',
    client: '等待 `Retry-After`。运维：见日志行 `wechat`。',
    operator:
      '见日志行 `wechat` 中的 `errcode` 与 `rid`，以及 `/readyz` 的 `wechat_last_seen`。40013、40125：appid 或 secret；40164：服务器地址不在 IP 白名单中。',
  },
  device_key_refused: {
    title: '设备密钥被拒绝',
    means: '设备密钥格式不对或太弱，或已登记给别人；或用户的设备数已到上限（`detail` 会说明）。',
    client: '用 `forgetDevice` 退出，再登录。若到上限：请用户在另一台设备上撤销一台。',
    operator: '上限是 `MINISEAL_MAX_DEVICES`；`miniseal devices list USER` 列出设备。',
  },
  upstream_unavailable: {
    title: '后端不可用',
    means:
      '后端没有给出应有的应答：无法连接、太慢、太大、不是 HTTP。若带 `"outcome": "unknown"`，**它可能已经执行。** 若带 `"outcome": "none"`，则没有发送任何内容：无法连接，该路由的熔断器已打开，或等待的请求过多。',
    client: '若为 `none`：用新的幂等键重试。否则用同一个键再问。',
    operator: '检查后端：端口、耗时、应答大小。路由的限制见 `MINISEAL_ROUTES_FILE`。',
  },
  unavailable: {
    title: '服务暂不可用',
    means:
      '数据库没有完成它的部分。若带 `"reason": "storage_full"`，则磁盘将满，请求未作进一步处理。若带 `"outcome": "unknown"`，请求**可能已经执行**：它的应答没能保存。',
    client: '等待 `Retry-After`，用同一个幂等键重新发送；若为 `"outcome": "none"`，则用新的键。',
    operator:
      '查看 `/readyz`：数据库、审计日志与磁盘（低于 `MINISEAL_DISK_RESERVE` 时不再接受新请求）。审计日志被拒绝时不接受支付：`miniseal audit status` 说明原因。',
  },
  internal: {
    title: '服务出错',
    means: '服务出错。若带 `"outcome": "unknown"`，**请求可能已经执行。**',
    client: '稍后用同一个幂等键再问。请报告 `instance` 中的 UUID。',
    operator: '带有这个 `requestId` 的日志行里有错误。请报告。',
  },
  step_up_required: {
    title: '请求需要生物识别确认',
    means:
      '处理方要求确认这一笔请求，或会话要求如此（docs/guides/operations.md，“Login risk”）。带有 `challenge`、`summary` 与 `WWW-Authenticate: HTTPSig error="insufficient_user_authentication", acr_values="soter"`（RFC 9470）。',
    client: '显示 `summary`，调用 `wx.startSoterAuthentication`，带上 `step-up` 与同一个键发送同一请求。',
    operator: '属正常。哪些路由要求确认，见 `MINISEAL_ROUTES_FILE` 或后端。',
  },
  step_up_invalid: {
    title: '生物识别确认无效',
    means:
      '该确认不属于这个请求、用户或设备，或已超过三分钟、已被用过，或微信不予确认。`detail` 说明是哪一种。',
    client: '去掉 `step-up` 发送请求，以便重新询问。',
    operator: '同一用户大量出现：有人想绕过确认。请查看审计日志。',
  },
  rate_limited: {
    title: '请求过多',
    means:
      '该设备、用户或应用的请求过多，或该密钥的推送过多。应答中的 `RateLimit` 说明剩余额度。对 `POST /phone-number` 还表示：微信的额度已用完。',
    client: '等待 `Retry-After` 后重新发送。',
    operator: '限额见 `MINISEAL_LIMITS`；`RateLimit-Policy` 说明触及的是哪一个。',
  },
}
