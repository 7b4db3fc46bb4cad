import type { Database } from '@enterprise-access/db';
import {
  cacheLookup,
  circuitChanged,
  memcachedTroubled,
  redemptionDecided,
  stripeEventSeen,
  upstreamCalled,
} from '@enterprise-access/domain';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface ProcessMetrics {
  /** Registry for metrics of one application. */
  readonly registry: Registry;
  readonly contentType: string;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

/** Metrics of use cases and of Node. One registry per process, even with several applications. */
function shared(): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const calls = new Histogram({
    name: 'enterprise_access_upstream_seconds',
    help: 'Length of calls to other services, all attempts together.',
    labelNames: ['service', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  upstreamCalled.subscribe(({ service, outcome, seconds }) => calls.observe({ service, outcome }, seconds));
  const circuits = new Gauge({
    name: 'enterprise_access_upstream_cut_off',
    help: '1 while a service is not called because it was silent too often.',
    labelNames: ['service'],
    registers,
  });
  circuitChanged.subscribe(({ service, isOpen }) => circuits.set({ service }, isOpen ? 1 : 0));
  const cache = new Counter({
    name: 'enterprise_access_cache_total',
    help: 'Questions to the cache; joined ones waited for a call that was under way, in this process or another.',
    labelNames: ['outcome'],
    registers,
  });
  cacheLookup.subscribe(({ outcome }) => cache.inc({ outcome }));
  const memcached = new Counter({
    name: 'enterprise_access_memcached_errors_total',
    help: 'Connections to memcached that were lost, and commands that failed or were not tried meanwhile.',
    labelNames: ['kind'],
    registers,
  });
  memcachedTroubled.subscribe(({ kind }) => memcached.inc({ kind }));
  const redemptions = new Counter({
    name: 'enterprise_access_redemptions_total',
    help: 'Decided requests to redeem, and ended redemptions, by outcome and reason.',
    labelNames: ['outcome', 'reason'],
    registers,
  });
  redemptionDecided.subscribe(({ outcome, reason }) => redemptions.inc({ outcome, reason: reason ?? '' }));
  const stripe = new Counter({
    name: 'enterprise_access_stripe_events_total',
    help: 'Events of Stripe by kind, and what became of them; kinds that are not handled count as other.',
    labelNames: ['type', 'outcome'],
    registers,
  });
  stripeEventSeen.subscribe(({ type, outcome }) =>
    stripe.inc({ type: outcome === 'unknown' ? 'other' : type, outcome }),
  );
  return registry;
}

interface Pool {
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
  readonly max: number;
}

function poolMetrics(db: Database, registers: Registry[]): void {
  const pool: Pool = db.client.pool;
  new Gauge({
    name: 'enterprise_access_database_connections',
    help: 'Connections of this process to the business database.',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'used' }, pool.numUsed());
      this.set({ state: 'free' }, pool.numFree());
    },
  });
  new Gauge({
    name: 'enterprise_access_database_connections_limit',
    help: 'Connections that this process may open.',
    registers,
    collect() {
      this.set(pool.max);
    },
  });
  new Gauge({
    name: 'enterprise_access_database_waiting',
    help: 'Statements and transactions that wait for a free connection.',
    registers,
    collect() {
      this.set(pool.numPendingAcquires());
    },
  });
}

let ofProcess: Registry | undefined;

/** Subscribes the metrics to telemetry events. Idempotent. */
export function subscribeMetrics(): Registry {
  ofProcess ??= shared();
  return ofProcess;
}

/** Metrics of both API and worker; times in seconds. */
export function processMetrics(db: Database): ProcessMetrics {
  const common = subscribeMetrics();
  const registry = new Registry();
  poolMetrics(db, [registry]);
  return {
    registry,
    contentType: registry.contentType,
    text: async () => `${await common.metrics()}\n${await registry.metrics()}`,
  };
}
