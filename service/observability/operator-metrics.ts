/** What operators see of places and backends: gauges of what is taken now, counters of what went wrong. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { RouteState, UpstreamFault } from '../gateway/upstream-pool.ts'
import type { Taken } from '../limits/limits.ts'

export interface OperatorMetrics {
  readonly onUpstreamFault: (fault: UpstreamFault) => void
  /** Registers the gauges of what is taken now; once. */
  watchSlots(taken: () => Taken, routes: () => readonly RouteState[]): void
}

const circuits = { closed: 0, half_open: 1, open: 2 } as const

export function observeSlots(registry: Registry): OperatorMetrics {
  const registers = [registry]
  const faults = new Counter({
    name: 'miniseal_upstream_faults_total',
    help: 'Requests that a backend did not answer as it must, by route and cause.',
    labelNames: ['route', 'cause'],
    registers,
  })
  return {
    onUpstreamFault: ({ route, cause }) => faults.inc({ route, cause }),
    watchSlots(taken, routes) {
      gaugeTaken(registry, taken)
      gaugeRoutes(registry, routes)
    },
  }
}

function gaugeTaken(registry: Registry, taken: () => Taken): void {
  new Gauge({
    name: 'miniseal_in_flight',
    help: 'Frames and pushes at work.',
    registers: [registry],
    collect() {
      this.set(taken().inFlight)
    },
  })
  new Gauge({
    name: 'miniseal_body_bytes',
    help: 'Bytes of memory that are reserved for bodies.',
    registers: [registry],
    collect() {
      this.set(taken().bodyBytes)
    },
  })
}

function gaugeRoutes(registry: Registry, routes: () => readonly RouteState[]): void {
  const gauge = (name: string, help: string, set: (gauge: Gauge, state: RouteState) => void): void => {
    new Gauge({
      name: `miniseal_upstream_${name}`,
      help,
      labelNames: name === 'requests' ? ['route', 'state'] : ['route'],
      registers: [registry],
      collect() {
        for (const state of routes()) set(this, state)
      },
    })
  }
  gauge('circuit', "A route's circuit breaker: 0 closed, 1 half open, 2 open.", (it, { route, circuit }) =>
    it.set({ route }, circuits[circuit]),
  )
  gauge(
    'requests',
    'Requests of a route that its backend works on, and that wait for their turn.',
    (it, state) => {
      it.set({ route: state.route, state: 'running' }, state.running)
      it.set({ route: state.route, state: 'waiting' }, state.waiting)
    },
  )
}
