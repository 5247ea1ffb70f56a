/** Builds the demo pages if the development dependencies are installed. A production install has no demo pages. */
import { createRequire } from 'node:module'

const needed = ['glass-easel', 'glass-easel-miniprogram-adapter', 'glass-easel-template-compiler', 'postcss']

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

if (needed.every(isInstalled)) {
  const { writePages } = await import('./build.ts')
  await writePages()
}
