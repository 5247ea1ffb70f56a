// Makes `npx miniseal` work in this checkout: npm links the commands of dependencies, but not those of the project itself.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url))
mkdirSync(folder, { recursive: true })
rmSync(`${folder}miniseal`, { force: true })
if (process.platform === 'win32') {
  writeFileSync(`${folder}miniseal.cmd`, '@node "%~dp0\\..\\..\\bin\\miniseal.js" %*\r\n')
} else {
  symlinkSync('../../bin/miniseal.js', `${folder}miniseal`)
}
