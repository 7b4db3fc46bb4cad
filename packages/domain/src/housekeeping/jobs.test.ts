import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { newUuid } from '../kernel/ids.ts';
import { runJob } from '../kernel/jobs/attempt.ts';
import { emptyWorld, testRuntime } from '../testing.ts';
import { expireJob } from './jobs.ts';

const DAY_MS = 86_400_000;
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('expired data, on %s', (dialect) => {
  const world = emptyWorld();
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
  });
  afterAll(() => database.drop());

  const ago = (days: number) => new Date(world.now.getTime() - days * DAY_MS);
  const mail = (days: number) => ({
    id: newUuid(),
    kind: 'test.mail',
    recipient: 'nobody',
    state: 'sent',
    created: ago(days),
    modified: ago(days),
  });
  const message = (created: number, sent: number | null) => ({
    uuid: newUuid(),
    kind: 'job',
    name: 'test.job',
    message_key: 'key',
    payload: '{}',
    created: ago(created),
    sent: sent === null ? null : ago(sent),
    shard: 0,
  });
  beforeEach(async () => {
    for (const table of ['mail_deliveries', 'outbox', 'inbox']) await database.db(table).delete();
    await database.db('mail_deliveries').insert([mail(400), mail(366), mail(364), mail(0)]);
    await database.db('outbox').insert([message(9, 8), message(9, 6), message(9, null)]);
    await database.db('inbox').insert([
      { consumer: 'test', message_id: 'old', received: ago(31) },
      { consumer: 'test', message_id: 'new', received: ago(29) },
    ]);
  });
  const expire = (payload: object, dryRun = false) =>
    runJob(testRuntime(database.db, world), expireJob, {
      uuid: newUuid(),
      payload,
      dryRun,
      signal: new AbortController().signal,
      isLast: true,
    });
  const left = async () => ({
    mails: (await database.db('mail_deliveries')).length,
    outbox: (await database.db('outbox')).length,
    inbox: (await database.db('inbox').pluck('message_id')).toSorted(),
  });

  test('records of mails, sent messages and consumed ids go when their time is over; what waits stays', async () => {
    expect(await expire({})).toMatchObject({ mails: 2, outbox: 1, inbox: 1 });
    expect(await left()).toEqual({ mails: 2, outbox: 2, inbox: ['new'] });
    expect(await expire({})).toMatchObject({ mails: 0, outbox: 0, inbox: 0 });
  });

  test('in chunks of any size', async () => {
    expect(await expire({ batch: 1, mailDays: 1 })).toMatchObject({ mails: 3, outbox: 1 });
    expect(await left()).toMatchObject({ mails: 1 });
  });

  test('a dry run counts', async () => {
    expect(await expire({}, true)).toMatchObject({ mails: 2, outbox: 1, inbox: 1 });
    expect(await left()).toEqual({ mails: 4, outbox: 3, inbox: ['new', 'old'] });
  });
});
