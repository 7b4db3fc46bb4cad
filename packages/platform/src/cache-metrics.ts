import type { CacheCounts, SharedStore } from '@enterprise-access/domain';
import { Counter, type Registry } from 'prom-client';
import type { Shared } from './runtime.ts';

/** What each count of the cache is called where operators look. */
const OUTCOMES: readonly (readonly [keyof CacheCounts, string])[] = [
  ['processHits', 'hit_process'],
  ['sharedHits', 'hit_shared'],
  ['joined', 'joined'],
  ['misses', 'miss'],
  ['unreadable', 'unreadable'],
];
const TROUBLES: readonly (readonly [keyof SharedStore['counts'], string])[] = [
  ['lost', 'server_lost'],
  ['failed', 'command_failed'],
];

/** How often the cache saved a call and how often memcached was no help, read when somebody looks. */
export function registerCacheMetrics(registry: Registry, { cache, shared }: Partial<Shared>): void {
  if (!cache) return;
  new Counter({
    name: 'enterprise_access_cache_total',
    help: 'Values asked of the cache, by where they came from; joined waited for the call of somebody else.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [count, outcome] of OUTCOMES) this.inc({ outcome }, cache.counts[count]);
    },
  });
  new Counter({
    name: 'enterprise_access_memcached_errors_total',
    help: 'Connections to memcached that were lost, and commands that went unanswered or were not tried.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [count, kind] of TROUBLES) this.inc({ kind }, shared?.counts[count] ?? 0);
    },
  });
}
