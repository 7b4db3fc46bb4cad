import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { completeRecords, type Origin, touch, withOrigin } from './audit.ts';
import { createTestDatabase, type TestDatabase, type TestServers } from './testing.ts';
import { transaction } from './transaction.ts';

const servers = inject('servers') as TestServers;
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => 'adminUrl' in servers[dialect]);

const origin = (operation: string): Origin => ({
  operation,
  source: 'system',
  actorUserId: null,
  role: null,
  requestId: null,
  correlationId: operation,
  customerUuid: null,
  reason: null,
});

describe.each(dialects)('the trail on %s', (dialect) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(servers, dialect, 3);
  });
  afterAll(() => database.drop());

  const entriesOf = (operation: string) => database.db('audit_entries').where({ operation });

  test('transactions of one call that run at the same time share its entry, whichever writes it first', async () => {
    const { db } = database;
    const pause = dialect === 'postgres' ? 'select pg_sleep(0.5)' : 'select sleep(0.5)';
    const one = Promise.withResolvers<void>();
    await withOrigin(origin('test.together'), () => {
      const slow = transaction(db, async (trx) => {
        touch(trx);
        // The connection is busy when the entry is to be written, so that the other transaction is first.
        void trx.raw(pause).then();
        one.resolve();
      });
      const fast = one.promise.then(() =>
        transaction(db, async (trx) => {
          await trx.raw('select 1');
          touch(trx);
        }),
      );
      return Promise.all([slow, fast]);
    });
    expect(await entriesOf('test.together')).toHaveLength(1);
  });

  test('a transaction that fails leaves no entry, and the next one of the call writes it', async () => {
    const { db } = database;
    await withOrigin(origin('test.failing'), async () => {
      const failed = transaction(db, async (trx) => {
        touch(trx);
        await completeRecords(trx);
        throw new Error('after the records');
      });
      await expect(failed).rejects.toThrow('after the records');
      expect(await entriesOf('test.failing')).toHaveLength(0);
      await transaction(db, async (trx) => touch(trx));
    });
    expect(await entriesOf('test.failing')).toHaveLength(1);
  });
});
