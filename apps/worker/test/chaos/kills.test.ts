import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, test, vi } from 'vitest';
import { passMinute } from '../support/time.ts';
import { appendSteps, effectCount, expectExactlyOnce, makeWorld, untilEffects, type World } from './world.ts';

const ROWS = 20_000;
const { missing } = inject('services');
const isMysqlMissing = 'skipped' in inject('servers').mysql;

const isRelayed = async ({ db }: World): Promise<boolean> => !(await db('outbox').whereNull('sent').first('uuid'));
const isDone = async ({ db }: World): Promise<boolean> => (await effectCount(db)) >= ROWS;

/** More are not needed, however slow the machine is: each of these lives begins with what the one before left undone. */
const MOST_KILLS = 10;

/**
 * Kills workers after a second of life each until `isOver`; answers with the number of kills. Those who come next do not
 * wait for the leases of the dead: they would live and die without having done anything.
 */
async function killEverySecond(world: World, isOver: (world: World) => Promise<boolean>): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const worker = await world.startWorker();
    await sleep(1_000);
    await worker.kill();
    await passMinute(world);
    if (kills + 1 === MOST_KILLS || (await isOver(world))) return kills + 1;
  }
}

/**
 * A group of Kafka waits ten seconds for a member that vanished before it serves the next one, and longer for those
 * that
 * vanished while it was shared anew, so a process that lives a second never consumes. These are killed a second after
 * their first event.
 */
async function killConsumers(world: World, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    const worker = await world.startWorker();
    const hasConsumed = async () =>
      expect(await world.db('test_effects').where({ kind: 'event', process: worker.pid }).first()).toBeDefined();
    await vi.waitFor(hasConsumed, { timeout: 240_000, interval: 50 });
    await sleep(1_000);
    await worker.kill();
    await passMinute(world);
  }
}

async function finish(world: World): Promise<void> {
  const worker = await world.startWorker();
  await untilEffects(world.db, ROWS);
  await expectExactlyOnce(world, ROWS);
  expect(await worker.stop()).toBe(0);
  expect(await effectCount(world.db)).toBe(ROWS);
}

// At once: the one with Kafka waits a lot. The timeout is no promise: whoever makes progress has as much time as it takes.
const TOGETHER = { timeout: 1_200_000, concurrent: true };

describe('a worker that is killed every second', TOGETHER, () => {
  test('PostgreSQL and the embedded bus: every effect once, in the order of its key', async () => {
    const world = await makeWorld({ dialect: 'postgres', bus: 'embedded' });
    try {
      const [kills] = await Promise.all([killEverySecond(world, isDone), appendSteps(world.db, ROWS)]);
      expect(kills).toBeGreaterThan(5);
      await finish(world);
    } finally {
      await world.close();
    }
  });

  test.skipIf(isMysqlMissing || (missing.kafka ?? missing.registry))(
    'MariaDB and Kafka: every effect once, in the order of its key',
    async () => {
      const world = await makeWorld({ dialect: 'mysql', bus: 'kafka' });
      try {
        await appendSteps(world.db, ROWS / 2);
        const appended = appendSteps(world.db, ROWS / 2, ROWS / 2);
        const kills = await killEverySecond(world, isRelayed);
        await appended;
        expect(kills).toBeGreaterThan(2);
        await killConsumers(world, 2);
        await finish(world);
      } finally {
        await world.close();
      }
    },
  );
});
