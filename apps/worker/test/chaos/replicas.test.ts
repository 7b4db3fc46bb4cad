import { enqueue } from '@enterprise-access/domain';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { WorkerProcess } from '../support/processes.ts';
import { gatedJobContract } from './effects.ts';
import { appendSteps, type Effect, expectExactlyOnce, makeWorld, untilEffects, type World } from './world.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

const { missing } = inject('services');

const PATIENT = { timeout: 60_000, interval: 50 };
const LITTLE = 400;
const MUCH = 4_000;

/** The smallest share of effects of a worker. */
function leastShare(effects: readonly Effect[], kind: string, workers: readonly WorkerProcess[]): number {
  const all = effects.filter((effect) => effect.kind === kind);
  return Math.min(...workers.map(({ pid }) => all.filter(({ process }) => process === pid).length / all.length));
}

describe.each(dialects)('several workers on %s', { timeout: 600_000 }, (dialect) => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld({ dialect, bus: 'embedded' });
  });
  afterEach(() => world.close());

  /** Enqueues a job that waits for its gate; resolves with the process that started it. */
  async function begin(gate: string): Promise<void> {
    await world.db.transaction((trx) => enqueue(trx, new Date(), gatedJobContract, { gate }));
    const isBegun = async () => expect(await world.db('test_begun').where({ gate })).toHaveLength(1);
    await vi.waitFor(isBegun, PATIENT);
  }
  const openGate = (gate: string) => world.db('test_gates').insert({ gate });
  const effectsOf = (gate: string): Promise<Effect[]> => world.db('test_effects').where({ effect_key: gate });

  test('two share the jobs, and double nothing', async () => {
    // Low concurrency, so that one worker cannot take all jobs at once.
    const workers = await Promise.all([1, 2].map(() => world.startWorker({ JOBS_CONCURRENCY: '10' })));
    await appendSteps(world.db, MUCH);
    await untilEffects(world.db, MUCH);
    // A topic of the database bus has one reader at a time, so only jobs are compared.
    expect(leastShare(await expectExactlyOnce(world, MUCH), 'job', workers)).toBeGreaterThan(0.15);
    expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([0, 0]);
  });

  test('a rolling restart loses nothing and doubles nothing', async () => {
    await appendSteps(world.db, 4_000);
    const first = await world.startWorker();
    await untilEffects(world.db, 100);
    const second = await world.startWorker();
    expect(await first.stop()).toBe(0);
    const third = await world.startWorker();
    expect(await second.stop()).toBe(0);
    await untilEffects(world.db, 4_000);
    await expectExactlyOnce(world, 4_000);
    expect(await third.stop()).toBe(0);
  });

  test('a stopping worker finishes its current job', async () => {
    const worker = await world.startWorker();
    await begin('in-hand');
    const stopped = worker.stop();
    await vi.waitFor(async () => expect(await isAccepting(worker.url)).toBe(false), PATIENT);
    await openGate('in-hand');
    expect(await stopped).toBe(0);
    expect(await effectsOf('in-hand')).toMatchObject([{ process: worker.pid }]);
  });

  test('a job that does not end in time is given back, even in its last attempt, and done by another worker', async () => {
    const worker = await world.startWorker({ DRAIN_SECONDS: '1' });
    await begin('too-long');
    expect(await worker.stop()).toBe(0);
    expect(await effectsOf('too-long')).toEqual([]);
    await openGate('too-long');
    const other = await world.startWorker();
    await vi.waitFor(async () => expect(await effectsOf('too-long')).toHaveLength(1), PATIENT);
    expect(await effectsOf('too-long')).toMatchObject([{ process: other.pid }]);
    expect(await other.stop()).toBe(0);
  });
});

test.skipIf(missing.kafka ?? missing.registry)(
  'two workers share the partitions of Kafka, and double nothing',
  {
    timeout: 600_000,
  },
  async () => {
    const world = await makeWorld({ dialect: 'postgres', bus: 'kafka' });
    const workers = await Promise.all([1, 2].map(() => world.startWorker()));
    const effects = (): Promise<Effect[]> => world.db('test_effects').orderBy('position');
    // Wait until both have partitions.
    let count = 0;
    do {
      await appendSteps(world.db, LITTLE, count);
      count += LITTLE;
      await untilEffects(world.db, count);
    } while (leastShare((await effects()).slice(-LITTLE), 'event', workers) === 0);
    await appendSteps(world.db, MUCH, count);
    await untilEffects(world.db, count + MUCH);
    const all = await expectExactlyOnce(world, count + MUCH);
    // Three partitions, so one of the two has one.
    for (const kind of ['job', 'event']) expect(leastShare(all.slice(count), kind, workers)).toBeGreaterThan(0.15);
    expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([0, 0]);
    await world.close();
  },
);

async function isAccepting(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`)).ok;
  } catch {
    return false;
  }
}
