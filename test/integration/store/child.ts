/**
 * A process of its own: `node child.js <open | commit | push> <location as JSON>`.
 *
 * It says `ready`, waits for a line, opens the store and says `open`. `commit` then claims nonces without end, many at a
 * time, and says each one's number once it has been acknowledged. `push` pushes 100 events to user-1, ten
 * at a time, and says of each whether it was committed.
 */
import { writeSync } from 'node:fs'
import { type DatabaseLocation, openStore } from '../../../service/store/open-store.ts'
import { claimNonce, pushEvent } from './records.ts'

const AT_A_TIME = 20
const [task, location] = process.argv.slice(2)

/** Straight to the pipe, so that what was acknowledged has been said even when the process dies in the next instant. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

say('ready')
process.stdin.once('data', async () => {
  process.stdin.destroy()
  const store = await openStore(JSON.parse(location ?? '') as DatabaseLocation)
  say('open')
  if (task === 'open') return await store.close()
  if (task === 'push') {
    const push = async (first: number) => {
      for (let i = 0; i < 10; i++) say((await store.commit([pushEvent(first + i)])).kind)
    }
    await Promise.all(Array.from({ length: 10 }, (_, i) => push(process.pid * 1000 + i * 10)))
    return await store.close()
  }
  let next = 0
  const claimForEver = async () => {
    for (;;) {
      const seed = next++
      const result = await store.commit([claimNonce(seed)])
      if (result.kind === 'committed') say(String(seed))
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, claimForEver))
})
