import { randomUUID } from 'node:crypto';
import { claimMessage, connect, type Database, type Dialect, transaction } from '@enterprise-access/db';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type EventBus, embeddedBus } from '../src/index.ts';
import { collector, Watched, watchedLog } from './collector.ts';
import { promisesOfABus, until } from './contract.ts';
import { eventTypes, topics } from './event-types.ts';
import { NOON, PING, ping, textOf } from './events.ts';

const dialects: Dialect[] = ['postgres', 'mysql'];

describe.for(dialects.filter((dialect) => !('skipped' in inject('servers')[dialect])))(
  'embedded bus on %s',
  (dialect) => {
    let database: TestDatabase;
    let db: Database;
    beforeAll(async () => {
      database = await createTestDatabase(inject('servers'), dialect, 20);
      db = database.db;
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      for (const table of ['bus_messages', 'bus_topics', 'bus_positions', 'inbox']) await db(table).delete();
    });

    const open = (options: Partial<Parameters<typeof embeddedBus>[0]> = {}): EventBus =>
      embeddedBus({
        db,
        eventTypes,
        service: 'enterprise_access',
        now: () => new Date(),
        log: watchedLog().log,
        ...options,
      });

    async function put(message: { topic: string; headers: readonly (readonly [string, string])[] }) {
      const headers = Object.groupBy(message.headers, ([name]) => name);
      await db.transaction(async (trx) => {
        const { topic } = message;
        const last = (await trx('bus_topics').where({ topic }).first('last_position'))?.last_position;
        if (last === undefined) await trx('bus_topics').insert({ topic, last_position: 1 });
        else await trx('bus_topics').where({ topic }).increment('last_position', 1);
        await trx('bus_messages').insert({
          topic,
          position: (last ?? 0) + 1,
          message_id: randomUUID(),
          message_key: 'k',
          headers: JSON.stringify(
            Object.fromEntries(
              Object.entries(headers).map(([name, values]) => [name, values?.map(([, value]) => value)]),
            ),
          ),
          payload: JSON.stringify(ping('put').data),
          published: NOON,
        });
      });
    }

    promisesOfABus({ open, put });

    test('an event that is published again is there once', async () => {
      const bus = open();
      const event = ping('1');
      await bus.publish([event, event]);
      await bus.publish([ping('2'), event]);
      const received = collector();
      bus.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      expect((await received.events.count(2)).map(textOf)).toEqual(['1', '2']);
      expect(await db('bus_messages').count({ count: '*' }).first()).toEqual({ count: 2 });
      await bus.close();
    });

    test('writers at the same time: positions without gaps, and a reader that misses none', async () => {
      const writers = Array.from({ length: 6 }, () => open());
      const reader = open();
      const received = collector();
      reader.consume({ group: 'g', topics: [topics.enterpriseCore, topics.accessPolicies], ...received });
      await Promise.all(
        writers.map(async (writer, w) => {
          for (let n = 0; n < 10; n += 1) await writer.publish([ping(`${n}`, `w${w}`), ping(`${n}b`, `w${w}`)]);
        }),
      );
      const events = await received.events.count(120);
      expect(events.map(({ position }) => Number(position.offset))).toEqual(
        Array.from({ length: 120 }, (_, n) => n + 1),
      );
      await Promise.all([...writers, reader].map((bus) => bus.close()));
    });

    test('messages of another process are found without a signal', async () => {
      const [writer, reader] = [open(), open({ pollMs: 10 })];
      const received = collector();
      const subscription = reader.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      await until(() => subscription.isConnected);
      await writer.publish([ping('1')]);
      await received.events.count(1);
      await Promise.all([writer.close(), reader.close()]);
    });

    test('an effect that claims its event in the inbox happens once, whatever comes again', async () => {
      const bus = open();
      const effects: string[] = [];
      const commits = new Watched<string>();
      const subscription = bus.consume({
        group: 'g',
        topics: [topics.enterpriseCore],
        retry: { initialMs: 1, maximumMs: 5, attempts: 10 },
        deadLetter: async () => undefined,
        async handle(event) {
          await transaction(db, async (trx) => {
            if (await claimMessage(trx, { consumer: 'g', messageId: event.id, received: NOON })) effects.push(event.id);
          });
          commits.add(event.id);
          // The effect is stored and the process fails before it can say so.
          if (commits.items.length < 3) throw new Error('connection lost');
        },
      });
      await bus.publish([ping('1')]);
      await commits.count(3);
      expect(effects).toHaveLength(1);
      await subscription.stop();
      await bus.rewind({ group: 'g', topics: [topics.enterpriseCore], to: new Date(0) });
      const again = new Watched<boolean>();
      bus.consume({
        group: 'g',
        topics: [topics.enterpriseCore],
        deadLetter: async () => undefined,
        handle: (event) =>
          transaction(db, async (trx) =>
            again.add(await claimMessage(trx, { consumer: 'g', messageId: event.id, received: NOON })),
          ),
      });
      expect(await again.count(1)).toEqual([false]);
      await bus.close();
    });

    test('data that does not match its schema becomes a dead letter', async () => {
      const bus = open();
      await put({
        topic: topics.enterpriseCore,
        headers: [
          ['ce_type', PING],
          ['ce_id', randomUUID()],
        ],
      });
      await db('bus_messages').update({ payload: JSON.stringify({ ping: { ping_uuid: 1 } }) });
      const received = collector();
      bus.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      expect(await received.letters.count(1)).toMatchObject([
        {
          reason: 'undecodable',
          detail: 'The data does not fit its schema in: ping.ping_uuid, ping.ping_message.',
        },
      ]);
      await bus.close();
    });

    test('old messages are removed; groups go on behind them', async () => {
      let now = NOON;
      const bus = open({ now: () => now });
      await bus.publish([ping('old')]);
      now = new Date(NOON.getTime() + 1000);
      await bus.publish([ping('new')]);
      expect(await db('bus_messages').where('published', '<', now).delete()).toBe(1);
      const received = collector();
      bus.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      expect((await received.events.count(1)).map(textOf)).toEqual(['new']);
      await bus.publish([ping('newer')]);
      await received.events.count(2);
      await bus.close();
    });

    test('what failed here and was finished by another process: the lag says so, and the wait for it costs no work', async () => {
      const own = connect({ url: database.url, poolSize: 5 });
      const [failing, working] = [open({ db: own, pollMs: 100 }), open()];
      const lags = new Watched<number>();
      await working.publish([ping('1')]);
      failing.consume({
        group: 'g',
        topics: [topics.enterpriseCore],
        ...collector(),
        handle: () => Promise.reject(new Error('not here')),
        retry: { initialMs: 50, maximumMs: 50, attempts: 1_000 },
        onLag: ({ messages }) => lags.add(messages),
      });
      await lags.count(1);
      const received = collector();
      working.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      await received.events.count(1);
      await lags.until((all) => all.at(-1) === 0);
      let looks = 0;
      own.on('query', () => {
        looks += 1;
      });
      const started = performance.now();
      for (let n = 0; n < 500; n += 1) await db.raw('select 1');
      expect(looks).toBeLessThan((performance.now() - started) / 100 + 3);
      await Promise.all([failing.close(), working.close()]);
      await own.destroy();
    });

    test('consuming continues after a database outage', async () => {
      const { log, lines } = watchedLog();
      const own = connect({ url: database.url, poolSize: 5 });
      const bus = open({ db: own, log });
      const received = collector();
      const subscription = bus.consume({ group: 'g', topics: [topics.enterpriseCore], ...received });
      await until(() => subscription.isConnected);
      await own.destroy();
      await lines.until((all) => all.some(({ message }) => message === 'consumer lost the database connection'));
      expect(subscription.isConnected).toBe(false);
      own.initialize();
      await bus.publish([ping('1')]);
      await received.events.count(1);
      expect(subscription.isConnected).toBe(true);
      await bus.close();
      await own.destroy();
    });
  },
);
