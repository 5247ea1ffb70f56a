/** The forms that a body may have had when it was signed, before programs on the way rewrote it. */
import { gunzipSync, gzipSync, inflateSync } from 'node:zlib'

/** Each has a finding `body-…`. */
export type FormId =
  | 'empty'
  | 'newline-stripped'
  | 'trimmed'
  | 'newline-added'
  | 'line-ends'
  | 'bom'
  | 'plus'
  | 'gunzip'
  | 'gzip'
  | 're-gzip'
  | 'base64'
  | 'to-base64'
  | 'charset'
  | 'json-minified'
  | 'json-spaced'
  | 'json-pretty'
  | 'json-escaped'
  | 'json-sorted'
  | 'json-string'

export interface BodyForm {
  readonly id: FormId
  readonly bytes: Uint8Array
}

/** Bytes of the largest body that is tried, compressed or not. */
const maxBody = 8_388_608

/** Every plausible other form of these untrusted bytes. */
export function bodyForms(bytes: Uint8Array): readonly BodyForm[] {
  if (bytes.length > maxBody) return []
  const forms = [...lineForms(bytes), ...codings(bytes), ...textForms(bytes), ...jsonForms(bytes)]
  return forms.filter((form) => !isSame(form.bytes, bytes))
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0
}

function form(id: FormId, text: string, encoding: BufferEncoding = 'latin1'): BodyForm {
  return { id, bytes: new Uint8Array(Buffer.from(text, encoding)) }
}

/** In Latin-1, which keeps every byte. */
function lineForms(bytes: Uint8Array): readonly BodyForm[] {
  const text = Buffer.from(bytes).toString('latin1')
  return [
    form('empty', ''),
    form('newline-stripped', text.replace(/[\r\n]+$/, '')),
    form('trimmed', text.trim()),
    form('newline-added', `${text}\n`),
    form('newline-added', `${text}\r\n`),
    form('line-ends', text.replace(/\r\n/g, '\n')),
    form('line-ends', text.replace(/\r?\n/g, '\r\n')),
    form('bom', text.startsWith('\u00ef\u00bb\u00bf') ? text.slice(3) : `\u00ef\u00bb\u00bf${text}`),
    form('plus', text.replaceAll('+', '%20')),
    form('plus', text.replaceAll('%20', '+')),
  ]
}

function coded(id: FormId, bytes: Uint8Array): BodyForm {
  return { id, bytes: new Uint8Array(bytes) }
}

function codings(bytes: Uint8Array): readonly BodyForm[] {
  const plain = decompressed(bytes)
  const text = Buffer.from(bytes).toString('latin1')
  const isBase64 = text.length > 3 && /^[A-Za-z0-9+/]+={0,2}\s*$/.test(text)
  const levels = [6, 9, 1]
  return [
    ...(plain === undefined ? [] : [coded('gunzip', plain)]),
    // Only zlib: the output of other compressors differs.
    ...levels.map((level) => coded('gzip', gzipSync(bytes, { level }))),
    ...(plain === undefined ? [] : levels.map((level) => coded('re-gzip', gzipSync(plain, { level })))),
    ...(isBase64 ? [coded('base64', Buffer.from(text, 'base64'))] : []),
    form('to-base64', Buffer.from(bytes).toString('base64')),
  ]
}

function decompressed(bytes: Uint8Array): Uint8Array | undefined {
  for (const decompress of [gunzipSync, inflateSync]) {
    try {
      return new Uint8Array(decompress(bytes, { maxOutputLength: maxBody }))
    } catch {
      // Not compressed in this format.
    }
  }
  return undefined
}

/** UTF-8 that was read as Latin-1, and the reverse. */
function textForms(bytes: Uint8Array): readonly BodyForm[] {
  const buffer = Buffer.from(bytes)
  return [
    form('charset', buffer.toString('utf8'), 'latin1'),
    form('charset', buffer.toString('latin1'), 'utf8'),
    form('charset', buffer.toString('utf8'), 'utf8'),
  ]
}

function jsonForms(bytes: Uint8Array): readonly BodyForm[] {
  let value: unknown
  try {
    value = JSON.parse(
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\ufeff/, ''),
    )
  } catch {
    return []
  }
  const compact = JSON.stringify(value)
  const spaced = compact.replace(/"(?:[^"\\]|\\.)*"|[:,]/g, (token) =>
    token.length === 1 ? `${token} ` : token,
  )
  const asciiOnly = (text: string): string => text.replace(/[\u0080-\uffff]/g, unicodeEscape)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return [
    form('json-minified', compact, 'utf8'),
    form('json-minified', `${compact}\n`, 'utf8'),
    form('json-spaced', spaced, 'utf8'),
    form('json-pretty', JSON.stringify(value, null, 2), 'utf8'),
    form('json-pretty', JSON.stringify(value, null, 4), 'utf8'),
    form('json-pretty', JSON.stringify(value, null, '\t'), 'utf8'),
    form('json-pretty', `${JSON.stringify(value, null, 2)}\n`, 'utf8'),
    form('json-escaped', asciiOnly(compact), 'utf8'),
    form('json-escaped', asciiOnly(spaced), 'utf8'),
    form('json-escaped', compact.replaceAll('/', '\\/'), 'utf8'),
    form('json-escaped', compact.replace(/[<>&]/g, unicodeEscape), 'utf8'),
    ...(isObject ? [form('json-sorted', JSON.stringify(sorted(value as object)), 'utf8')] : []),
    ...(typeof value === 'string' ? [form('json-string', value, 'utf8')] : []),
  ]
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function sorted(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
