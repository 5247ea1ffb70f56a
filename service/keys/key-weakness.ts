/** Whether 32 bytes can have come from a random source: what people type, repeat or count cannot. */

/** 32 random bytes have fewer distinct ones than this once in 10^10 keys. */
const fewestDistinct = 16

/** @returns what is wrong with the key, in words that follow its name, or `undefined`; never anything of the key itself */
export function findWeakness(key: Uint8Array): string | undefined {
  if (isText(key)) return 'is text in base64, not random bytes'
  if (isRepeated(key)) return 'repeats itself'
  // Of the differences as well, so that bytes that count up or down are found.
  const differences = key.subarray(1).map((byte, i) => byte - (key[i] ?? 0))
  if (Math.min(new Set(key).size, new Set(differences).size) < fewestDistinct) {
    return 'has too few different bytes to be random'
  }
  return undefined
}

/** Valid UTF-8, perhaps cut at its end, as every passphrase and every key in hex is: true of one in 10^7 random keys. */
function isText(key: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(key, { stream: true })
    return true
  } catch {
    return false
  }
}

/** Made of one part that comes twice or more often. */
function isRepeated(key: Uint8Array): boolean {
  const periods = Array.from({ length: key.length / 2 }, (_, i) => i + 1)
  return periods.some((period) => key.subarray(period).every((byte, i) => byte === key[i]))
}
