import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { isDatabaseUnavailable } from './failures.ts';
import { connect } from './knex.ts';
import { underLease } from './lease.ts';
import { appendToOutbox, lanesWithMessages, relayLane } from './outbox.ts';
import { databaseProbe } from './probe.ts';
import { createTestDatabase, type TestDatabase } from './testing.ts';
import { transaction } from './transaction.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const LANE = { kind: 'job', shard: 3 };

describe.each(dialects)('leases on %s', (dialect) => {
  let world: TestDatabase;
  beforeAll(async () => {
    world = await createTestDatabase(inject('servers'), dialect);
  });
  afterAll(() => world.drop());
  const expire = () =>
    world
      .db('outbox_lanes')
      .where(LANE)
      .update({ lease_ends: new Date(0) });
  const nothing = async () => undefined;

  test('one has the lease; the next one when it was given back, also after a failure', async () => {
    const { db } = world;
    const inner = await underLease(db, 'outbox_lanes', LANE, () => underLease(db, 'outbox_lanes', LANE, async () => 1));
    expect(inner).toBeNull();
    const failed = underLease(db, 'outbox_lanes', LANE, () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    expect(await underLease(db, 'outbox_lanes', LANE, async () => 2)).toBe(2);
  });

  test('the lease is a write that other nodes of a cluster see, and not a lock', async () => {
    await underLease(world.db, 'outbox_lanes', LANE, async () => {
      const { lease_owner } = await world.db('outbox_lanes').where(LANE).first();
      expect(lease_owner).toMatch(/^[0-9a-f-]{36}$/);
    });
  });

  test('an owner whose lease has expired writes nothing and does not release the new owner’s lease', async () => {
    const { db } = world;
    await underLease(db, 'outbox_lanes', LANE, async (late) => {
      await expire();
      await underLease(db, 'outbox_lanes', LANE, async (successor) => {
        let hasWritten = false;
        const write = async () => {
          hasWritten = true;
        };
        expect([await late.finish(write), hasWritten]).toEqual([false, false]);
        expect(await successor.finish(nothing)).toBe(true);
      });
    });
  });

  test('messages of a lane whose relay died are handed on when its lease has ended', async () => {
    const { db } = world;
    const message = { enterpriseCustomerUuid: null, kind: 'job', name: 'a', key: 'k', payload: {} } as const;
    await transaction(db, (trx) => appendToOutbox(trx, new Date(), [message]));
    const [lane] = await lanesWithMessages(db);
    if (!lane) throw new Error('No lane.');
    await db('outbox_lanes')
      .where({ ...lane })
      .update({ lease_owner: 'dead', lease_ends: new Date(Date.now() + 60_000) });
    const options = { limit: 10, except: [], publish: nothing };
    expect(await relayLane(db, lane, options)).toBe(0);
    await db('outbox_lanes')
      .where({ ...lane })
      .update({ lease_ends: new Date(0) });
    expect(await relayLane(db, lane, options)).toBe(1);
  });

  test('a statement timeout is reported as an unavailable database, and the pool still works', async () => {
    const db = connect({ url: world.url, poolSize: 1, statementTimeoutMs: 200 });
    const slow = dialect === 'postgres' ? 'select pg_sleep(5)' : 'select sleep(5) from outbox_lanes';
    await expect(db.transaction((trx) => trx.raw(slow))).rejects.toSatisfy(isDatabaseUnavailable);
    await expect(db.raw(slow)).rejects.toSatisfy(isDatabaseUnavailable);
    expect(await db('outbox_lanes').where(LANE)).toHaveLength(1);
    await db.destroy();
  });

  test('a database that can be read but blocks writes is not ready', async () => {
    const probe = databaseProbe(world.db);
    expect(await probe()).toBe(true);
    const fresh = databaseProbe(world.db);
    const blocker = connect({ url: world.url, poolSize: 1 });
    await blocker.transaction(async (trx) => {
      await trx.raw(
        dialect === 'postgres' ? 'lock table write_probes in exclusive mode' : 'lock tables write_probes write',
      );
      expect(await fresh()).toBe(false);
      expect(await world.db('outbox_lanes').where(LANE)).toHaveLength(1);
      if (dialect === 'mysql') await trx.raw('unlock tables');
    });
    await blocker.destroy();
  });
});
