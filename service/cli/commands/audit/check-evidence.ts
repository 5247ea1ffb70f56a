import { parsePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../../../keys/sodium-primitives.ts'
import type { Language } from '../../../problems/catalogue.ts'
import { BundleUnreadable, readBundle } from '../../../tlog/evidence/bundle.ts'
import type { Step, StepName, Verdict } from '../../../tlog/evidence/check-evidence.ts'
import { checkEvidence, verdictOf } from '../../../tlog/evidence/check-evidence.ts'
import type { ExitCode } from '../../command.ts'
import { asCommandFailed, CommandFailed, defineCommand } from '../../command.ts'
import {
  authority,
  jsonOption,
  languageOf,
  languageOption,
  parseVkey,
  readBytes,
  vkeyOption,
} from '../../option-values.ts'

export const checkEvidenceCommand = defineCommand({
  name: 'audit check-evidence',
  summary: 'verify an evidence bundle, offline',
  arguments: { file: { help: 'bundle written by miniseal audit evidence' } },
  options: {
    vkey: vkeyOption,
    policy: {
      type: 'string',
      value: 'FILE',
      help: 'policy with the log, witnesses and quorum (C2SP tlog-policy)',
    },
    origin: {
      type: 'string',
      value: 'URL',
      help: 'origin of the service, if the log name does not begin with its host',
    },
    body: { type: 'string', value: 'FILE', help: 'request body to compare with the signed digest' },
    lang: languageOption,
    json: jsonOption,
  },
  notes: `
Verifies the files of the bundle, the entry, the signature and cosignatures of the checkpoint, the inclusion proof, the
disclosed groups, the device signature, that it covers the request of the entry, and the body.

Without --vkey of a log or --policy, it only verifies that the parts of the bundle are consistent.

Exit status: 0 if the evidence is valid, 1 if a step fails, 2 for a usage error, 3 if the log key was not checked or a
file cannot be read.
`,
  async run({ file, vkey, policy, origin, body, lang, json }, terminal) {
    const language = languageOf(lang, terminal)
    const known = {
      vkeys: vkey.map(parseVkey),
      policy: policy === undefined ? undefined : readPolicy(await readBytes(policy)),
      origin: origin === undefined ? undefined : authority(origin),
      body: body === undefined ? undefined : await readBytes(body),
    }
    const archive = await readBytes(file)
    const steps = checkEvidence(await asCommandFailed(() => readBundle(archive), BundleUnreadable), known)
    const verdict = verdictOf(steps)
    const result = { ok: verdict === 'holds', verdict, steps }
    terminal.out(json ? `${JSON.stringify(result)}\n` : describe(steps, language, verdict))
    return exitCodes[verdict]
  },
})

const exitCodes: Readonly<Record<Verdict, ExitCode>> = { holds: 0, fails: 1, fits: 3 }

function readPolicy(bytes: Uint8Array) {
  try {
    return parsePolicy(sodiumPrimitives, Buffer.from(bytes).toString('utf8'))
  } catch {
    throw new CommandFailed('--policy: invalid policy')
  }
}

const titles: { readonly [N in StepName]: readonly [en: string, zh: string] } = {
  files: ['The files match the manifest', '文件与清单一致'],
  leaf: ['The entry is well-formed', '条目格式正确'],
  'log-key': ['The log key is the given one', '日志公钥与已知公钥一致'],
  checkpoint: ['The log signed the checkpoint', '检查点由日志签名'],
  witnesses: ['Witnesses cosigned the checkpoint', '检查点已由见证方联署'],
  inclusion: ['The entry is in the log', '日志包含该条目'],
  groups: ['The disclosed groups match the entry', '披露的分组与条目一致'],
  signature: ['The device signed the request', '请求由设备签名'],
  request: ['The signed request is the one of the entry', '签名的请求就是条目中的请求'],
  payload: ['The signed digest is the logged one', '签名的摘要与条目中的摘要一致'],
  body: ['The body matches the signed digest', '正文与签名的摘要一致'],
  enrolment: ['The device key belongs to this user', '设备密钥属于该用户'],
}

const words = {
  en: {
    ok: 'ok     ',
    failed: 'FAILED ',
    skipped: '-      ',
    holds: 'The evidence is valid.',
    fits: 'The parts are consistent; the log key was not checked: give --vkey or --policy.',
    fails: 'The evidence is invalid.',
  },
  'zh-CN': {
    ok: '通过   ',
    failed: '失败   ',
    skipped: '未检查 ',
    holds: '证据有效。',
    fits: '各部分相符，但未核对日志公钥：请给出 --vkey 或 --policy。',
    fails: '证据无效。',
  },
} as const

function describe(steps: readonly Step[], language: Language, verdict: Verdict): string {
  const text = words[language]
  const lines = steps.map(({ name, outcome, detail }) => {
    return `${text[outcome]}${titles[name][language === 'en' ? 0 : 1]}: ${detail}`
  })
  return [...lines, text[verdict], ''].join('\n')
}
