#!/usr/bin/env node
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (!existsSync(main)) {
  process.stderr.write('miniseal is not built yet: run npm ci, or npm run build\n')
  process.exit(3)
}
await import(main.href)
