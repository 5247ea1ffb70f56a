/**
 * `npm run bench [-- NAME] [options]`: `schemes` (the default, `run.ts`) compares Miniseal with other schemes; `attacks`,
 * `audit`, `client` and `commits` each measure one subject.
 */
const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  schemes: () => import('./run.ts'),
  attacks: () => import('./attacks.ts'),
  audit: () => import('./audit.ts'),
  client: () => import('./client.ts'),
  commits: () => import('./commits.ts'),
}

const [name = ''] = process.argv.slice(2)
const isNamed = Object.hasOwn(programs, name)
// Each program reads its own options.
if (isNamed) process.argv.splice(2, 1)
await programs[isNamed ? name : 'schemes']?.()
