/** The client in Node: for scripts and for tests of a backend. The same channel, over `fetch`. */
export * from './index.ts'
export { fetchTransport } from './transports/fetch.ts'
