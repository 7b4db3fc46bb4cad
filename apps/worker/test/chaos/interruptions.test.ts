import { enqueue } from '@enterprise-access/domain';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { WorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';
import { fallibleJobContract } from './effects.ts';
import { makeWorld, type World } from './world.ts';

const PATIENT = { timeout: 60_000, interval: 50 };
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

// `fallibleJobContract` may fail twice and be interrupted twice.
describe.each(dialects)('attempts of a job on %s', { timeout: 600_000 }, (dialect) => {
  let world: World;
  let worker: WorkerProcess;
  beforeEach(async () => {
    world = await makeWorld({ dialect, bus: 'embedded' });
    await world.db.transaction((trx) => enqueue(trx, new Date(), fallibleJobContract, { gate: 'a' }));
    worker = await world.startWorker({ DRAIN_SECONDS: '1' });
  });
  afterEach(async () => {
    await worker.stop();
    await world.close();
  });

  const begun = (attempts: number) =>
    vi.waitFor(async () => expect(await world.db('test_begun')).toHaveLength(attempts), PATIENT);
  const deadLetter = () =>
    world.queues('pgboss.job').where({ name: 'dead-letters', source_name: fallibleJobContract.name }).first();
  const dead = (error: string) =>
    vi.waitFor(async () => expect(await deadLetter()).toMatchObject({ source_output: { error } }), PATIENT);
  const openGate = () => world.db('test_gates').insert({ gate: 'a' });

  async function kill(): Promise<void> {
    await worker.kill();
    await passMinute(world);
    worker = await world.startWorker({ DRAIN_SECONDS: '1' });
  }
  async function stop(): Promise<void> {
    expect(await worker.stop()).toBe(0);
    worker = await world.startWorker({ DRAIN_SECONDS: '1' });
  }
  test('interruptions do not use up the failures, whatever their order', async () => {
    await begun(1);
    await kill();
    await begun(2);
    await stop();
    await begun(3);
    await openGate();
    await begun(4);
    await openGate();
    await dead('Error');
    // Two interruptions and two failures.
    expect(await world.db('test_begun')).toHaveLength(4);
  });

  test('failures do not use up the interruptions; one more than allowed ends the job', async () => {
    await begun(1);
    await openGate();
    await begun(2);
    await kill();
    await begun(3);
    await stop();
    await begun(4);
    expect(await deadLetter()).toBeUndefined();
    await kill();
    await dead('InterruptedTooOften');
    expect(await world.db('test_begun')).toHaveLength(4);
  });
});
