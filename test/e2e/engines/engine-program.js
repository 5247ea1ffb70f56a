/*
 * Runs before the client in an engine's shell (`jsc`). The shell has no network and no timers: everything goes over
 * lines of JSON to the process that started it, which does it for real. Plain ES2018, because nothing compiles it.
 *
 * A line to the host begins with \u0001; a line from the host is ASCII, since the shell reads Latin-1.
 */
;((shell) => {
  const { print, readline, drainMicrotasks } = shell
  const pending = new Map()
  let lastId = 0
  let isDone = false
  const say = (message) => print(`\u0001${JSON.stringify(message)}`)

  const bytesOf = (data) =>
    Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const bufferOf = (hex) => Uint8Array.from(hex.match(/../g) || [], (digits) => parseInt(digits, 16)).buffer
  const isBuffer = (value) => Object.prototype.toString.call(value) === '[object ArrayBuffer]'

  /** Buffers become `{ hex }`, functions are left out. */
  const packed = (options) => {
    const plain = {}
    for (const [name, value] of Object.entries(options)) {
      if (typeof value !== 'function') plain[name] = isBuffer(value) ? { hex: bytesOf(value) } : value
    }
    return plain
  }
  const unpacked = (result) => {
    const plain = {}
    for (const [name, value] of Object.entries(result)) {
      plain[name] =
        value !== null && typeof value === 'object' && 'hex' in value ? bufferOf(value.hex) : value
    }
    return plain
  }

  const open = (message, heard) => {
    lastId += 1
    pending.set(lastId, heard)
    say({ ...message, id: lastId })
    return lastId
  }

  shell.setTimeout = (run, milliseconds) => {
    const id = open({ do: 'timer', milliseconds: milliseconds || 0 }, () => {
      pending.delete(id)
      run()
    })
    return id
  }
  shell.clearTimeout = (id) => pending.delete(id)
  shell.console = { log: (...values) => say({ do: 'log', text: values.map(String).join(' ') }) }

  /** An API of the usual form. */
  const api = (name) => (options) => {
    const id = open({ do: 'api', name, options: packed(options) }, ({ kind, result }) => {
      pending.delete(id)
      if (options[kind]) options[kind](unpacked(result))
    })
  }
  const listeners = { onNetworkStatusChange: [], onAppShow: [] }
  const names =
    'request getRandomValues getStorage setStorage removeStorage login getNetworkType showModal ' +
    'checkIsSupportSoterAuthentication checkIsSoterEnrolledInDevice startSoterAuthentication'
  const wx = {}
  for (const name of names.split(' ')) wx[name] = api(name)
  wx.onNetworkStatusChange = (listener) => listeners.onNetworkStatusChange.push(listener)
  wx.onAppShow = (listener) => listeners.onAppShow.push(listener)
  wx.getDeviceInfo = () => ({ platform: 'ios' })
  wx.getAppBaseInfo = () => ({ SDKVersion: '3.8.12' })
  wx.connectSocket = (options) => {
    const heard = { open: [], message: [], error: [], close: [] }
    const id = open({ do: 'socket', options: packed(options) }, ({ kind, result }) => {
      for (const listener of heard[kind] || []) listener(unpacked(result))
    })
    return {
      send: ({ data, success }) => {
        say({ do: 'send', id, data: { hex: bytesOf(data) } })
        if (success) success({})
      },
      close: () => say({ do: 'close', id }),
      onOpen: (listener) => heard.open.push(listener),
      onMessage: (listener) => heard.message.push(listener),
      onError: (listener) => heard.error.push(listener),
      onClose: (listener) => heard.close.push(listener),
    }
  }
  shell.wx = wx

  const finish = (message) => {
    isDone = true
    say({ do: 'done', ...message })
  }
  /** Runs `page`, and reads what the host says until it is over. */
  shell.runPage = (page) => {
    Promise.resolve()
      .then(page)
      .then(
        (result) => finish({ result }),
        (error) => finish({ error: `${String(error)}\n${Object(error).stack}` }),
      )
    for (drainMicrotasks(); !isDone; drainMicrotasks()) {
      const line = readline()
      if (line === null || line === undefined) return
      if (line === '') continue
      const { id, ...event } = JSON.parse(line)
      const heard = pending.get(id)
      if (heard) heard(event)
    }
  }

  /** What the shell has and phones do not. */
  for (const name of 'WebAssembly SharedArrayBuffer Atomics atob btoa performance print readline load'.split(
    ' ',
  )) {
    delete shell[name]
    if (name in shell) shell[name] = undefined
  }
})(globalThis)
