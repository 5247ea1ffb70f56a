/** Makes the evidence bundle of one entry: disclosures, proofs and instructions. */

import { decodeBase64, decodeBase64Url, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { parseGroup, parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { SignedNote, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import { encodePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import type { TlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { encodeTlogProof } from 'miniseal-protocol/tlog/tlog-proof'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'
import type { Store } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import type { LogSearch } from '../../store/tlog-search.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import type { LogReader } from '../reader.ts'
import type { OpenedGroup, OpenedGroups } from '../sealed-details.ts'
import { openGroups } from '../sealed-details.ts'
import type { FindSubjectKey } from '../subject-keys.ts'
import type { BundleFiles } from './bundle.ts'
import { committedBytes, publicKeyPem, writeBundle } from './bundle.ts'

/** No evidence can be made; the message is for the auditor. */
export class EvidenceRefused extends Error {}

export interface EvidenceSources {
  readonly store: Pick<Store, 'searchLog'>
  readonly reader: LogReader
  readonly findKey: FindSubjectKey
  /** All keys of the log of this origin. */
  readonly logKeys: (origin: string) => readonly VerifierKey[]
  /** The witnesses that cosign for the service. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service, by kind: b64u. */
  readonly serviceKeys: Readonly<Record<string, readonly string[]>>
}

export interface EvidenceChoice {
  readonly groups: readonly GroupLabel[]
  /** The request's body, if available. */
  readonly body: Uint8Array | undefined
}

/**
 * @returns the archive
 * @throws EvidenceRefused if no checkpoint covers the entry, or a chosen group does not exist or is erased
 */
export async function makeEvidence(
  sources: EvidenceSources,
  entry: LogEntry,
  { groups, body }: EvidenceChoice,
): Promise<Uint8Array> {
  const opened = await openGroups(entry, sources.findKey)
  const chosen = choose(opened, groups)
  const proof = await proofOf(sources, entry)
  const { checkpoint, note } = parseCheckpointNote(proof.checkpoint)
  const logKeys = sources.logKeys(checkpoint.origin)
  const files = new Map<string, Uint8Array>([
    ...(await entryFiles('', entry, proof, chosen)),
    ...checkpointFiles(note, logKeys),
    ...signatureFiles(chosen),
    ...(await enrolmentFiles(sources, entry, opened, chosen)),
    ['keys/service.json', encodeUtf8(`${JSON.stringify(sources.serviceKeys, null, 2)}\n`)],
    ['policy.txt', encodeUtf8(policyOf(logKeys, sources.witnesses))],
    ...(body === undefined ? [] : [['body.bin', body] as [string, Uint8Array]]),
  ])
  const { id } = parseLeaf(entry.leaf)
  for (const [name, text] of evidenceReadme([...chosen.keys()], files.has('signature.bin'))) {
    files.set(name, encodeUtf8(text))
  }
  return writeBundle(files, { id, origin: checkpoint.origin, groups: [...chosen.keys()] })
}

function choose(opened: OpenedGroups, labels: readonly string[]): OpenedGroups {
  return new Map(
    labels.map((label): [string, OpenedGroup] => {
      const group = opened.get(label)
      if (group === undefined) {
        throw new EvidenceRefused(
          opened.size === 0
            ? 'the details of the entry are erased or expired: use --groups "" for the inclusion proof alone'
            : `the entry has no group ${label}; it has ${[...opened.keys()].join(', ')}`,
        )
      }
      return [label, group]
    }),
  )
}

/** The signed text, one signature and its key, for other tools. */
function checkpointFiles(note: SignedNote, logKeys: readonly VerifierKey[]): readonly [string, Uint8Array][] {
  const [first] = verifyNoteSignatures(note, logKeys).good
  if (first === undefined) throw new EvidenceRefused('the checkpoint is not signed by a key of this service')
  return [
    ['checkpoint.txt', encodeUtf8(note.text)],
    ['checkpoint.sig', first.signature],
    ['keys/log.pem', publicKeyPem(first.key.publicKey)],
  ]
}

function policyOf(logKeys: readonly VerifierKey[], witnesses: readonly PolicyWitness[]): string {
  const logs = logKeys.map((key) => ({ key }))
  const named = witnesses.map(({ name, key }) => ({ name, key }))
  return encodePolicy(sodiumPrimitives, { logs, witnesses: named, groups: [], quorum: undefined })
}

async function proofOf({ reader }: EvidenceSources, { globalIndex }: LogEntry): Promise<TlogProof> {
  const proof = await reader.inclusion(globalIndex)
  if (proof === undefined)
    throw new EvidenceRefused('no checkpoint covers the entry yet: retry in a few seconds')
  return proof
}

/** @param folder empty, or a name with its slash */
async function entryFiles(
  folder: string,
  { leaf }: LogEntry,
  proof: TlogProof,
  groups: OpenedGroups,
): Promise<readonly [string, Uint8Array][]> {
  return [
    [`${folder}leaf.json`, leaf],
    [`${folder}leaf.tlog-proof`, encodeUtf8(encodeTlogProof(proof))],
    ...[...groups].flatMap(([label, { salt, value }]): [string, Uint8Array][] => [
      [
        `${folder}groups/${label}.json`,
        encodeUtf8(`${JSON.stringify({ salt: encodeBase64(salt), value })}\n`),
      ],
      [`${folder}groups/${label}.bin`, committedBytes(label, salt, value)],
    ]),
  ]
}

function membersOf(groups: OpenedGroups, label: string): FlatObject {
  const group = groups.get(label)
  return group === undefined ? {} : parseGroup(encodeUtf8(group.value))
}

/** The signature of the device, for other tools. */
function signatureFiles(chosen: OpenedGroups): readonly [string, Uint8Array][] {
  const { base, signature, public_key: publicKey } = membersOf(chosen, 'sig')
  if (typeof base !== 'string' || typeof signature !== 'string' || typeof publicKey !== 'string') return []
  return [
    ['signature-base.txt', encodeUtf8(base)],
    ['signature.bin', decodeBase64(signature)],
    ['device-key.pem', publicKeyPem(decodeBase64Url(publicKey))],
  ]
}

/**
 * The oldest entry that enrolled the device. Only if the chosen groups disclose device and user anyway, and only for the
 * same user, so that nothing about others is disclosed.
 */
async function enrolmentFiles(
  sources: EvidenceSources,
  entry: LogEntry,
  opened: OpenedGroups,
  chosen: OpenedGroups,
): Promise<BundleFiles> {
  const { user, device } = membersOf(chosen, 'sub')
  if (entry.deviceBlindIndex === null || user === undefined || device === undefined) return new Map()
  for (const kind of ['device-added', 'login']) {
    const search: LogSearch = { kind, deviceBlindIndex: entry.deviceBlindIndex }
    const found = await sources.store.searchLog(search, entry.globalIndex, 1)
    const [enrolment] = found
    if (enrolment === undefined) continue
    const groups = await openGroups(enrolment, sources.findKey)
    const sub = membersOf(groups, 'sub')
    if (sub.user !== user || sub.device !== device || membersOf(opened, 'sub').user !== user) continue
    const shown = new Map([...groups].filter(([label]) => label === 'sub'))
    return new Map(await entryFiles('enrolment/', enrolment, await proofOf(sources, enrolment), shown))
  }
  return new Map()
}

// The README files, for readers who do not have the service.

/** @returns the files `README.md` and `README.zh-CN.md` */
function evidenceReadme(
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

\`leaf.json\` is the entry. It contains no personal data, only salted commitments (\`c\`) to groups of it. Disclosed here:
${groups.join(', ') || 'none'}. \`leaf.tlog-proof\` proves that the entry is in the log. The checkpoint states size and root of the log;
the log key signed it, and witnesses may have cosigned it.

With Miniseal: \`npx miniseal audit check-evidence FILE.zip --vkey KEY\`. KEY is the verifier key of the log from another
source: the key in the bundle does not prove who made the bundle. The command also compares the signed request with the entry:
the lines of \`signature-base.txt\` must match \`groups/core.json\` and \`groups/pay.json\`.

Without Miniseal:

${commands(groups, hasSignature)}

The hash of the entry is its leaf hash (RFC 6962). Combined with the hashes of \`leaf.tlog-proof\`, the leaf's sibling first, it gives
the root in \`checkpoint.txt\` (RFC 9162, section 2.1.3.2).${hasSignature ? ' The device signed `signature-base.txt` (RFC 9421).' : ''} \`enrolment/\`, if present, contains the entry
that enrolled the device key for the user, in the same form. \`manifest.json\` has the SHA-256 of every file.
`
}

function chinese(groups: readonly string[], hasSignature: boolean): string {
  return `# 审计日志中一个条目的证据

\`leaf.json\` 是条目本身，不含个人信息：相关内容只以加盐承诺（\`c\`）的形式出现。本证据披露的分组：${groups.join('、') || '无'}。
\`leaf.tlog-proof\` 证明日志包含该条目；检查点包含日志的大小与根哈希，由日志密钥签名，也可能由见证方联署。

使用 Miniseal 验证：\`npx miniseal audit check-evidence FILE.zip --vkey KEY\`。KEY 是您通过其他途径取得的日志公钥：
证据中附带的公钥不能证明其来源。该命令还会把设备签名的内容与条目逐项比较：
\`signature-base.txt\` 中的各行必须与 \`groups/core.json\`、\`groups/pay.json\` 一致。

不使用 Miniseal 验证：

${commands(groups, hasSignature)}

最后一个哈希即条目的叶哈希（RFC 6962）。从叶节点的兄弟节点开始，与 \`leaf.tlog-proof\` 中的各哈希依次计算，应得到 \`checkpoint.txt\`
中的根哈希（RFC 9162 第 2.1.3.2 节）。${hasSignature ? '`signature-base.txt` 是设备签名的内容（RFC 9421）。' : ''}如有 \`enrolment/\`，其中是注册该设备密钥的条目，形式相同。
\`manifest.json\` 列出每个文件的 SHA-256。
`
}
