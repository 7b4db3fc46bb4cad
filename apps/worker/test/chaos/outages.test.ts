import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';
import {
  appendSteps,
  effectCount,
  expectExactlyOnce,
  makeWorld,
  untilEffects,
  type World,
  type WorldOptions,
} from './world.ts';

const ROWS = 20_000;
const AWAY_MS = 10_000;
const { missing } = inject('services');
const isKafkaMissing = Boolean(missing.kafka ?? missing.registry);
const isMysqlMissing = 'skipped' in inject('servers').mysql;

/**
 * Stops the server in the middle of the work; half of the rows are inserted during the outage, if the business
 * database is up.
 */
async function takeAway({ db, fragile }: World, isBusiness: boolean): Promise<void> {
  await untilEffects(db, 200);
  const before = await effectCount(db);
  await fragile?.stop();
  expect(before).toBeLessThan(ROWS / 2);
  const away = sleep(AWAY_MS);
  if (!isBusiness) await appendSteps(db, ROWS / 2, ROWS / 2);
  await away;
  await fragile?.start();
  if (isBusiness) await appendSteps(db, ROWS / 2, ROWS / 2);
}

async function outage(options: WorldOptions): Promise<void> {
  const world = await makeWorld(options);
  try {
    await appendSteps(world.db, ROWS / 2);
    const worker = await world.startWorker();
    await takeAway(world, options.fragile === 'business');
    await untilEffects(world.db, ROWS);
    await expectExactlyOnce(world, ROWS);
    expect(await worker.stop()).toBe(0);
    expect(await effectCount(world.db)).toBe(ROWS);
  } finally {
    await world.close();
  }
}

// Two at once: they wait a lot. The timeout is no promise: whoever makes progress has as much time as it takes.
const TOGETHER = { timeout: 1_200_000, concurrent: true };

describe('ten seconds without a server: every effect once, in the order of its key', TOGETHER, () => {
  test.skipIf(isKafkaMissing)('Kafka (PostgreSQL)', () =>
    outage({ dialect: 'postgres', bus: 'kafka', fragile: 'kafka' }),
  );

  test('the database of the queues (PostgreSQL, embedded bus)', () =>
    outage({ dialect: 'postgres', bus: 'embedded', fragile: 'queues' }));

  test('the business database (PostgreSQL, embedded bus)', () =>
    outage({ dialect: 'postgres', bus: 'embedded', fragile: 'business' }));

  test.skipIf(isMysqlMissing || isKafkaMissing)('the business database (MariaDB, Kafka)', () =>
    outage({ dialect: 'mysql', bus: 'kafka', fragile: 'business' }),
  );
});
