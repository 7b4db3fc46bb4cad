import { expect, inject, test } from 'vitest';
import { createTestDatabase, type TestServers } from './testing.ts';

const servers = inject('servers') as TestServers;
const isThere = 'adminUrl' in servers.mysql;

/** Rows of everything that a test may have left. */
const traces = async (db: Awaited<ReturnType<typeof createTestDatabase>>['db']) => [
  await db('users').count({ n: '*' }).first(),
  await db('outbox').count({ n: '*' }).first(),
  (await db('sales_contract_reference_providers').select('slug')).length > 0,
];

test.skipIf(!isThere)(
  'a test finds no rows, numbers or connections of the one that had its database before',
  async () => {
    const first = await createTestDatabase(servers, 'mysql', 2);
    const now = new Date();
    const user = { username: 'a', email: 'a@b.example', created: now, modified: now };
    await first.db('users').insert(user);
    const forgotten = await createTestDatabase(servers, 'mysql', 1);
    await first.drop();
    const second = await createTestDatabase(servers, 'mysql', 2);
    expect(second.url).not.toBe(forgotten.url);
    expect(await traces(second.db)).toEqual([{ n: 0 }, { n: 0 }, true]);
    const [id] = await second.db('users').insert(user);
    expect(id).toBe(1);
    await Promise.all([second.drop(), forgotten.drop()]);
  },
);

test.skipIf(!isThere)('a database whose schema a test has changed is not handed on', async () => {
  const first = await createTestDatabase(servers, 'mysql', 2);
  await first.db.raw('create table of_a_test (id int primary key)');
  await first.drop();
  const second = await createTestDatabase(servers, 'mysql', 2);
  expect(await second.db.schema.hasTable('of_a_test')).toBe(false);
  await second.drop();
});
