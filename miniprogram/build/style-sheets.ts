/** Sheets without anything that a phone would have to fetch. */
import postcss from 'postcss'

/**
 * Drops fonts from foreign hosts: TDesign's icon sheet names one, and an app for money asks nobody but its own service.
 * The app draws its icons from files of its own.
 *
 * @throws Error when the sheet cannot be read.
 */
export function localSheet(text: string): string {
  if (!text.includes('@font-face')) return text
  const sheet = postcss.parse(text)
  sheet.walkAtRules('font-face', (rule) => {
    if (/url\(\s*['"]?(https?:)?\/\//.test(rule.toString())) rule.remove()
  })
  return sheet.toString()
}
