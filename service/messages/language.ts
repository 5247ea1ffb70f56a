/** The languages of pages, messages and texts. */

export type Language = 'zh-CN' | 'en'

/** The first supported language of an `accept-language` field. Attacker-controlled. */
export function languageOf(field: string | undefined): Language {
  const first = /(?:^|,)\s*(zh|en)\b/i.exec(field ?? '')?.[1]?.toLowerCase()
  return first === 'zh' ? 'zh-CN' : 'en'
}
