/** The handler of every scheme: it parses the body and returns a body of the same size. */

/** The response to a transfer. */
export function transferResponse(body: unknown): unknown {
  const transfer = typeof body === 'object' && body !== null ? body : {}
  return { ...transfer, status: 'done' }
}

/** The response to a read: about 200 bytes. */
export const wallet = {
  balance: 998_750,
  currency: 'CNY',
  status: 'active',
  limits: { day: 5_000_000, single: 500_000 },
  last: { id: '551fd1d6-0000-4000-8000-000000000000', payee: 'u_0123456789abcdef', amount: 1_250 },
} as const
