/**
 * A process of its own: `node child.js <open | commit | push> <location as JSON>`.
 *
 * It prints `ready`, waits for a line, opens the store and prints `open`. `commit` then claims nonces without end, many at a
 * time, and prints the number of each acknowledged one. `push` appends 100 events for user-1, ten at a time, and prints each
 * result.
 */
import { writeSync } from 'node:fs'
import { type DatabaseLocation, openStore } from '../../../service/store/open-store.ts'
import { claimNonce, pushEvent } from './records.ts'

const AT_A_TIME = 20
const [task, location] = process.argv.slice(2)

/** Synchronous, so that an acknowledged commit is printed even when the process is killed right afterwards. */
function print(line: string): void {
  writeSync(1, `${line}\n`)
}

print('ready')
process.stdin.once('data', async () => {
  process.stdin.destroy()
  const store = await openStore(JSON.parse(location ?? '') as DatabaseLocation)
  print('open')
  if (task === 'open') return await store.close()
  if (task === 'push') {
    const push = async (first: number) => {
      for (let i = 0; i < 10; i++) print((await store.commit([pushEvent(first + i)])).kind)
    }
    await Promise.all(Array.from({ length: 10 }, (_, i) => push(process.pid * 1000 + i * 10)))
    return await store.close()
  }
  let next = 0
  const claimForever = async () => {
    for (;;) {
      const seed = next++
      const result = await store.commit([claimNonce(seed)])
      if (result.kind === 'committed') print(String(seed))
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, claimForever))
})
