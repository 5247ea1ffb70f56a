/** The README files of a bundle, for readers who do not know the service. */

/** @returns the files `README.md` and `README.zh-CN.md` */
export function evidenceReadme(
  groups: readonly string[],
  hasSignature: boolean,
): readonly (readonly [string, string])[] {
  return [
    ['README.md', english(groups, hasSignature)],
    ['README.zh-CN.md', chinese(groups, hasSignature)],
  ]
}

const checkpointCommand = `openssl pkeyutl -verify -rawin -pubin -inkey keys/log.pem -in checkpoint.txt -sigfile checkpoint.sig`
const deviceCommand = `openssl pkeyutl -verify -rawin -pubin -inkey device-key.pem -in signature-base.txt -sigfile signature.bin`
const groupCommand = (label: string): string =>
  `openssl dgst -sha256 -binary groups/${label}.bin | base64     # = "c"."${label}" in leaf.json`
const leafCommand = `{ printf '\\000'; cat leaf.json; } | sha256sum`
const digestCommand = `openssl dgst -sha256 -binary body.bin | base64       # = sha-256=:…: in signature-base.txt`

function commands(groups: readonly string[], hasSignature: boolean): string {
  return [
    checkpointCommand,
    ...groups.map(groupCommand),
    leafCommand,
    ...(hasSignature ? [deviceCommand, digestCommand] : []),
  ]
    .map((line) => `    ${line}`)
    .join('\n')
}

function english(groups: readonly string[], hasSignature: boolean): string {
  return `# Evidence for one entry of an audit log

\`leaf.json\` is the entry. It names nobody: what it is about stands behind salted commitments (\`c\`). The groups that are
disclosed here are: ${groups.join(', ') || 'none'}. \`leaf.tlog-proof\` shows that the entry is in the log whose size and root the
checkpoint states; the log's key has signed the checkpoint, and witnesses may have cosigned it.

With Miniseal: \`npx miniseal audit check-evidence FILE.zip --vkey KEY\`, with the log's verifier key as you know it from
elsewhere: a key that came with the evidence proves nothing about who made it. It also compares what the device signed with the entry,
line by line: the lines of \`signature-base.txt\` must be those of \`groups/core.json\` and \`groups/pay.json\`.

Without Miniseal:

${commands(groups, hasSignature)}

The last hash of the entry is its leaf hash (RFC 6962). With the hashes of \`leaf.tlog-proof\`, the leaf's sibling first, it gives the
root in \`checkpoint.txt\` (RFC 9162, section 2.1.3.2).${hasSignature ? ' The device signed `signature-base.txt` (RFC 9421).' : ''} \`enrolment/\`, where it is there, holds the entry with which
the device came to the user, in the same form. \`manifest.json\` has the SHA-256 of every file.
`
}

function chinese(groups: readonly string[], hasSignature: boolean): string {
  return `# 审计日志中一条记录的证据

\`leaf.json\` 是这条记录本身，其中不含任何个人信息：相关内容位于加盐承诺（\`c\`）之后。本证据披露的分组：${groups.join('、') || '无'}。
\`leaf.tlog-proof\` 证明该记录在日志之中；检查点写明日志的大小与根哈希，由日志的密钥签名，也可能有见证方联署。

使用 Miniseal 验证：\`npx miniseal audit check-evidence FILE.zip --vkey KEY\`。KEY 是您从其他途径获知的日志公钥：
随证据一起送来的公钥不能证明证据出自何人。它还会把设备签名的内容与记录逐项比较：
\`signature-base.txt\` 中的各行必须与 \`groups/core.json\`、\`groups/pay.json\` 一致。

不使用 Miniseal 验证：

${commands(groups, hasSignature)}

最后得到的记录哈希即叶哈希（RFC 6962）。从叶的兄弟节点开始，与 \`leaf.tlog-proof\` 中的各哈希依次计算，应得到 \`checkpoint.txt\`
中的根哈希（RFC 9162 第 2.1.3.2 节）。${hasSignature ? '`signature-base.txt` 是设备签名的内容（RFC 9421）。' : ''}如有 \`enrolment/\`，其中是该设备密钥归属该用户的记录，形式相同。
\`manifest.json\` 列出每个文件的 SHA-256。
`
}
