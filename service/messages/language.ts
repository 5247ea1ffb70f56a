/** The two languages of the pages. */

export type Language = 'zh-CN' | 'en'

/** The first of the two languages that a browser names. Attacker-controlled. */
export function languageOf(field: string | undefined): Language {
  const first = /(?:^|,)\s*(zh|en)\b/i.exec(field ?? '')?.[1]?.toLowerCase()
  return first === 'zh' ? 'zh-CN' : 'en'
}
