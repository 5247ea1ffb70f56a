/** `miniseal audit check-evidence FILE`: what an evidence bundle proves, offline. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { TlogPolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { parsePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { BundleUnreadable, readBundle } from '../tlog/evidence/bundle.ts'
import type { Step, StepName, Verdict } from '../tlog/evidence/check-evidence.ts'
import { checkEvidence, verdictOf } from '../tlog/evidence/check-evidence.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { parseKey } from './log-check.ts'
import { authority } from './option-values.ts'

const usage = `usage: miniseal audit check-evidence FILE [--vkey KEY]… [--policy FILE] [--origin URL] [--body FILE]
                                      [--lang zh-CN|en] [--json]

Checks a bundle of miniseal audit evidence, without network and without the service: every file, the leaf, the
checkpoint's signature, witnesses, the place in the log, the disclosed groups, the device's signature, that it is over the request of the entry, the body.

  --vkey KEY      verifier key of the log, or of a witness, that you know from elsewhere; may be repeated.
                  Without it, and without --policy, the bundle is only shown to fit together.
  --policy FILE   the log, its witnesses, and how many of them are needed (C2SP tlog-policy)
  --origin URL    the service's origin, where the log's name does not begin with its host
  --body FILE     the body that the request is said to have had
  --lang LANG     language of the steps (default: as LANG says)

The exit code is 0 when the evidence holds, 1 when a step failed, 2 for a wrong call, 3 when no step failed but the log's
key was not checked, or when the file cannot be read.
`

const options = {
  vkey: { type: 'string', multiple: true, default: [] as string[] },
  policy: { type: 'string' },
  origin: { type: 'string' },
  body: { type: 'string' },
  lang: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

type Language = 'zh-CN' | 'en'

export const checkEvidenceCommand: Command = {
  name: 'audit check-evidence',
  summary: 'check an evidence bundle, offline',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [file, ...more] = positionals
    if (file === undefined || more.length > 0) throw new UsageError('check-evidence takes one file')
    const language = languageOf(values.lang, terminal)
    const known = {
      vkeys: values.vkey.map(parseKey),
      policy: values.policy === undefined ? undefined : readPolicy(await read(values.policy)),
      origin: values.origin === undefined ? undefined : authority(values.origin),
      body: values.body === undefined ? undefined : await read(values.body),
    }
    const steps = checkEvidence(unpack(await read(file)), known)
    const verdict = verdictOf(steps)
    const told = { ok: verdict === 'holds', verdict, steps }
    terminal.out(values.json ? `${JSON.stringify(told)}\n` : describe(steps, language, verdict))
    return exitCodes[verdict]
  },
}

const exitCodes: Readonly<Record<Verdict, ExitCode>> = { holds: 0, fails: 1, fits: 3 }

/** @throws CommandFailed */
export async function read(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch {
    throw new CommandFailed(`${path} cannot be read`)
  }
}

function readPolicy(bytes: Uint8Array): TlogPolicy {
  try {
    return parsePolicy(sodiumPrimitives, Buffer.from(bytes).toString('utf8'))
  } catch {
    throw new CommandFailed('the file of --policy is no policy')
  }
}

function unpack(bytes: Uint8Array) {
  try {
    return readBundle(bytes)
  } catch (error) {
    throw error instanceof BundleUnreadable ? new CommandFailed(error.message) : error
  }
}

function languageOf(given: string | undefined, { environment }: Terminal): Language {
  if (given !== undefined && given !== 'zh-CN' && given !== 'en')
    throw new UsageError('--lang takes zh-CN or en')
  return given ?? (environment.LANG?.startsWith('zh') === true ? 'zh-CN' : 'en')
}

const titles: { readonly [N in StepName]: readonly [en: string, zh: string] } = {
  files: ['Files are as in the manifest', '文件与清单一致'],
  leaf: ['The entry is well formed', '记录格式正确'],
  'log-key': ['The log’s key is the one known from elsewhere', '日志公钥与已知公钥一致'],
  checkpoint: ['The log has signed the checkpoint', '检查点由日志签名'],
  witnesses: ['Witnesses have cosigned it', '检查点有见证人联署'],
  inclusion: ['The entry is in the log', '记录在日志之中'],
  groups: ['The disclosed groups are those of the entry', '披露的分组与记录一致'],
  signature: ['The device has signed the request', '请求由设备签名'],
  request: ['What was signed is the request of the entry', '签名的内容就是记录中的请求'],
  payload: ['The signed digest is the logged one', '签名的摘要与记录的摘要一致'],
  body: ['The body is the one that was signed', '正文与签名的摘要一致'],
  enrolment: ['The device’s key came to this user', '设备密钥归属该用户'],
}

const words = {
  en: {
    ok: 'ok     ',
    failed: 'FAILED ',
    skipped: '-      ',
    holds: 'The evidence holds.',
    fits: 'The parts fit; the log key was not checked: give --vkey or --policy.',
    fails: 'The evidence does not hold.',
  },
  'zh-CN': {
    ok: '通过   ',
    failed: '失败   ',
    skipped: '未检查 ',
    holds: '证据成立。',
    fits: '各部分相符，但未核对日志公钥：请给出 --vkey 或 --policy。',
    fails: '证据不成立。',
  },
} as const

function describe(steps: readonly Step[], language: Language, verdict: Verdict): string {
  const text = words[language]
  const lines = steps.map(({ name, outcome, detail }) => {
    return `${text[outcome]}${titles[name][language === 'en' ? 0 : 1]}: ${detail}`
  })
  return [...lines, text[verdict], ''].join('\n')
}
