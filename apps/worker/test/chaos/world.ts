import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  appendToOutbox,
  connect,
  type Database,
  type Dialect,
  migrate,
  type OutboxMessage,
} from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { useService } from '@enterprise-access/services/testing';
import { expect, inject, vi } from 'vitest';
import { startWorkerProcess, type WorkerProcess } from '../support/processes.ts';
import { makeEffects, STEP_EVENT, stepDataOf, stepJobContract } from './effects.ts';
import { type FragileServer, fragileDatabase, fragileKafka } from './servers.ts';

export interface WorldOptions {
  readonly dialect: Dialect;
  readonly bus: 'embedded' | 'kafka';
  /** The server that the test takes away, and so does not share. */
  readonly fragile?: 'business' | 'queues' | 'kafka';
}

export interface World {
  readonly db: Database;
  readonly queues: Database;
  readonly environment: Readonly<Record<string, string>>;
  readonly fragile: FragileServer | null;
  startWorker(more?: Readonly<Record<string, string>>): Promise<WorkerProcess>;
  close(): Promise<void>;
}

const KEYS = 100;
/** Rows of one transaction. */
const CHUNK = 500;
const MAIN = new URL('./main.ts', import.meta.url);

/** Business database, queues and bus of one test. */
export async function makeWorld({ dialect, bus, fragile: what }: WorldOptions): Promise<World> {
  const closing: (() => Promise<unknown>)[] = [];
  let fragile: FragileServer | null = null;
  const own = async (server: Promise<FragileServer>) => {
    fragile = await server;
    closing.unshift(fragile.remove);
    return fragile.address;
  };
  const database = async (kind: Dialect, isFragile: boolean) => {
    if (!isFragile) {
      const shared = await createTestDatabase(inject('servers'), kind, 5);
      closing.unshift(shared.drop);
      return shared;
    }
    const url = await own(fragileDatabase(kind));
    const db = connect({ url, poolSize: 5 });
    closing.unshift(() => db.destroy());
    return { db, url };
  };
  const business = await database(dialect, what === 'business');
  if (what === 'business') await migrate(business.db);
  const queues = await database('postgres', what === 'queues');
  await makeEffects(business.db);
  const services = inject('services');
  const environment = {
    DATABASE_URL: business.url,
    JOBS_DATABASE_URL: queues.url,
    JOBS_CONCURRENCY: '40',
    LOG_LEVEL: 'fatal',
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    ...(bus === 'embedded'
      ? {}
      : {
          KAFKA_BROKERS: what === 'kafka' ? await own(fragileKafka()) : await useService(services, 'kafka'),
          SCHEMA_REGISTRY_URL: await useService(services, 'registry'),
          EVENT_BUS_TOPIC_PREFIX: `chaos-${randomBytes(6).toString('hex')}`,
        }),
  };
  return {
    db: business.db,
    queues: queues.db,
    environment,
    fragile,
    startWorker: (more = {}) => startWorkerProcess({ ...environment, ...more }, MAIN),
    async close() {
      for (const close of closing) await close();
    },
  };
}

/** Steps of all keys in turn, half of them jobs and half events. */
function* steps(count: number, after: number): Generator<OutboxMessage> {
  for (let at = after / 2; at < (after + count) / 2; at += 1) {
    const key = `key-${at % KEYS}`;
    const sequence = Math.floor(at / KEYS) + 1;
    yield { enterpriseCustomerUuid: null, kind: 'job', name: stepJobContract.name, key, payload: { key, sequence } };
    yield { enterpriseCustomerUuid: null, kind: 'event', name: STEP_EVENT, key, payload: stepDataOf(key, sequence) };
  }
}

/** Stores so many steps in the outbox, as changes would; they continue those that came before. */
export async function appendSteps(db: Database, count: number, after = 0): Promise<void> {
  const all = [...steps(count, after)];
  for (let start = 0; start < count; start += CHUNK) {
    await db.transaction((trx) => appendToOutbox(trx, new Date(), all.slice(start, start + CHUNK)));
  }
}

export const effectCount = async (db: Database): Promise<number> =>
  Number((await db('test_effects').count({ n: '*' }).first())?.n);

/** Longer than any lease, heartbeat, pause and outage together. */
const STANDSTILL_MS = 120_000;

/** Resolves when there are so many effects, however slow the machine is; rejects when no more come. */
export async function untilEffects(db: Database, count: number): Promise<void> {
  let seen = 0;
  for (let since = performance.now(); ; ) {
    // A database that is away for now is asked again.
    const now = await effectCount(db).catch(() => seen);
    if (now >= count) return;
    if (now > seen) since = performance.now();
    seen = now;
    if (performance.now() - since > STANDSTILL_MS) throw new Error(`No more effects come: ${seen} of ${count}.`);
    await sleep(200);
  }
}

/** The share of `name` in all rows of the queues, by state. */
const jobStates = async (queues: Database): Promise<Record<string, number>> => {
  const rows: { state: string; n: number }[] = await queues('pgboss.job')
    .whereNot('name', 'like', '\\_\\_pgboss%')
    .groupBy('state')
    .select('state')
    .count({ n: '*' });
  return Object.fromEntries(rows.map(({ state, n }) => [state, Number(n)]));
};

export interface Effect {
  readonly kind: string;
  readonly effect_key: string;
  readonly sequence: number;
  readonly process: number;
}

/** Every step had its effect once, those of a key in their order, and nothing is left over anywhere. */
export async function expectExactlyOnce({ db, queues }: World, count: number): Promise<Effect[]> {
  await vi.waitFor(async () => expect(await jobStates(queues)).toEqual({ completed: count / 2 }), {
    timeout: STANDSTILL_MS,
    interval: 200,
  });
  const effects: Effect[] = await db('test_effects').orderBy('position');
  expect(effects).toHaveLength(count);
  for (const kind of ['job', 'event']) {
    const byKey = Map.groupBy(
      effects.filter((effect) => effect.kind === kind),
      (effect) => effect.effect_key,
    );
    expect(byKey.size).toBe(Math.min(KEYS, count / 2));
    for (const [key, found] of byKey) {
      const expected = Array.from({ length: found.length }, (_, index) => index + 1);
      expect({ kind, key, order: found.map(({ sequence }) => sequence) }).toEqual({ kind, key, order: expected });
    }
  }
  expect(await db('outbox').whereNull('sent').select('uuid')).toEqual([]);
  expect(await db('dead_letters').select('reason', 'detail')).toEqual([]);
  return effects;
}
