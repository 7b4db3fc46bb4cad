import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type EventBus, type Log, Unreadable } from '../src/index.ts';
import { type Collector, collector, Watched, watchedLog } from './collector.ts';
import { topics } from './event-types.ts';
import { NOON, PING, ping, REVERSED, reversed, textOf } from './events.ts';

/** One kind of bus, as the tests see it. */
export interface Harness {
  /** A bus as a process has it, on topics that nobody has used before this test. */
  open(options?: { now?: () => Date; log?: Log }): EventBus;
  /** Brings a message into a topic past all checks; without a value of its own it holds a ping. */
  put(message: {
    topic: string;
    headers: readonly (readonly [string, string])[];
    value?: Buffer | null;
  }): Promise<void>;
}

const QUICK = { initialMs: 1, maximumMs: 20, attempts: 3 };
const PINGS = [topics.enterpriseCore];
const newGroup = () => `group-${randomUUID()}`;

const goodHeaders = (): [string, string][] => [
  ['ce_type', PING],
  ['ce_id', randomUUID()],
  ['ce_time', '2026-03-02T10:00:00+00:00'],
  ['ce_source', 'openedx/lms/web'],
  ['ce_minorversion', '0'],
  ['sourcelib', '10.5.0'],
  ['sourcehost', 'somewhere'],
];
const without = (name: string) => goodHeaders().filter(([header]) => header !== name);
const twice = (name: string) => goodHeaders().flatMap((header) => (header[0] === name ? [header, header] : [header]));
const withValue = (name: string, value: string) =>
  goodHeaders().map((header): [string, string] => (header[0] === name ? [name, value] : header));

/** What every kind of bus promises. */
export function promisesOfABus(harness: Harness): void {
  const consume = (bus: EventBus, group: string, what: Collector, on: readonly string[] = PINGS) =>
    bus.consume({ group, topics: on, ...what, retry: QUICK });

  test('an event arrives as it was published', async () => {
    const bus = harness.open();
    const event = { ...reversed(), trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    expect(await bus.publish([event])).toEqual([]);
    const received = collector();
    consume(bus, newGroup(), received, [topics.ledgerTransactions]);
    const [arrived] = await received.events.count(1);
    expect(arrived).toMatchObject({
      id: event.id,
      type: REVERSED,
      data: event.data,
      time: NOON,
      source: 'openedx/enterprise_access/web',
      minorVersion: 0,
      trace: event.trace,
      position: { topic: topics.ledgerTransactions },
    });
    await bus.close();
  });

  test('events with one key keep their order over many batches', async () => {
    const bus = harness.open();
    const keys = ['a', 'b', 'c', 'd'];
    const received = collector();
    consume(bus, newGroup(), received);
    for (let batch = 0; batch < 10; batch += 1)
      await bus.publish([0, 1, 2].flatMap((n) => keys.map((key) => ping(`${batch * 3 + n}`, key))));
    const events = await received.events.count(120);
    for (const key of keys) {
      const ofKey = events.filter((event) => (event.data.ping as { ping_uuid: string }).ping_uuid === key);
      expect(ofKey.map(textOf)).toEqual(Array.from({ length: 30 }, (_, index) => String(index)));
    }
    await bus.close();
  });

  test('every group sees every event; a group that comes late starts at the beginning', async () => {
    const bus = harness.open();
    const [first, second] = [collector(), collector()];
    consume(bus, newGroup(), first);
    await bus.publish([ping('1'), ping('2')]);
    await first.events.count(2);
    consume(bus, newGroup(), second);
    expect((await second.events.count(2)).map(textOf)).toEqual(['1', '2']);
    await bus.close();
  });

  test('the lag of a group is reported, down to zero', async () => {
    const bus = harness.open();
    const lags = new Watched<number>();
    await bus.publish([ping('1'), ping('2'), ping('3')]);
    const group = newGroup();
    const hold = Promise.withResolvers<void>();
    const told: unknown[] = [];
    bus.consume({
      group,
      topics: PINGS,
      ...collector(),
      handle: () => hold.promise,
      onLag(lag) {
        told.push(lag);
        lags.add(lag.messages);
      },
    });
    hold.resolve();
    await lags.until((all) => all.at(-1) === 0);
    expect(told.at(-1)).toMatchObject({ group, topic: topics.enterpriseCore, messages: 0 });
    await bus.close();
  });

  test('a group that was never there can begin with what comes', async () => {
    const bus = harness.open();
    await bus.publish([ping('before')]);
    const group = newGroup();
    await bus.rewind({ group, topics: PINGS, to: new Date(Date.now() + 60_000) });
    await bus.publish([ping('after')]);
    const received = collector();
    consume(bus, group, received);
    expect((await received.events.count(1)).map(textOf)).toEqual(['after']);
    await bus.close();
  });

  test('two processes of a group share the work and leave nothing out', async () => {
    const [one, two] = [harness.open(), harness.open()];
    const group = newGroup();
    const received = collector();
    const [a, b] = [consume(one, group, received), consume(two, group, received)];
    await until(() => a.isConnected && b.isConnected);
    const sent = Array.from({ length: 60 }, (_, n) => ping(String(n), `key-${n}`));
    await one.publish(sent);
    await received.events.until((events) => new Set(events.map(({ id }) => id)).size === 60);
    await Promise.all([one.close(), two.close()]);
  });

  test('a handler that fails gets the event again, before those behind it', async () => {
    const bus = harness.open();
    const calls = new Watched<string>();
    const received = collector();
    bus.consume({
      group: newGroup(),
      topics: PINGS,
      retry: QUICK,
      deadLetter: received.deadLetter,
      async handle(event) {
        calls.add(textOf(event));
        if (calls.items.length < 3) throw new Error('database away');
      },
    });
    await bus.publish([ping('1'), ping('2')]);
    expect(await calls.count(4)).toEqual(['1', '1', '1', '2']);
    expect(received.letters.items).toEqual([]);
    await bus.close();
  });

  test('an event whose handler never succeeds becomes a dead letter, and the partition continues', async () => {
    const bus = harness.open();
    const received = collector();
    const group = newGroup();
    let calls = 0;
    bus.consume({
      group,
      topics: PINGS,
      retry: QUICK,
      deadLetter: received.deadLetter,
      async handle(event) {
        if (textOf(event) !== 'poison') return received.handle(event);
        calls += 1;
        throw new Error('a bug');
      },
    });
    const poison = ping('poison');
    await bus.publish([poison, ping('next')]);
    await received.events.count(1);
    expect(calls).toBe(QUICK.attempts);
    expect(received.letters.items).toMatchObject([{ group, reason: 'handler_failed', detail: 'Error' }]);
    // What was put aside can be read again, as it was.
    const [letter] = received.letters.items;
    expect(letter && (await bus.read(letter.message))).toMatchObject({ id: poison.id, data: poison.data });
    await bus.close();
  });

  test('a dead letter that cannot be stored comes again, and nothing passes it', async () => {
    const bus = harness.open();
    const received = collector();
    let attempts = 0;
    bus.consume({
      group: newGroup(),
      topics: PINGS,
      retry: QUICK,
      async handle(event) {
        if (textOf(event) === 'bad') throw new Unreadable('invalid_data', 'ping_message is no greeting.');
        await received.handle(event);
      },
      async deadLetter(letter) {
        attempts += 1;
        if (attempts < 5) throw new Error('database away');
        expect(received.events.items).toEqual([]);
        await received.deadLetter(letter);
      },
    });
    await bus.publish([ping('bad'), ping('next')]);
    await received.events.count(1);
    expect(received.letters.items).toMatchObject([{ reason: 'invalid_data', detail: 'ping_message is no greeting.' }]);
    await bus.close();
  });

  test('a stop finishes the current event only; the next process continues after it', async () => {
    const bus = harness.open();
    const group = newGroup();
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const handled: string[] = [];
    const first = bus.consume({
      group,
      topics: PINGS,
      deadLetter: async () => undefined,
      async handle(event) {
        started.resolve();
        await finish.promise;
        handled.push(textOf(event));
      },
    });
    await bus.publish([ping('1'), ping('2')]);
    await started.promise;
    const stopped = first.stop();
    finish.resolve();
    await stopped;
    expect(handled).toEqual(['1']);
    expect(first.isConnected).toBe(false);
    const received = collector();
    consume(bus, group, received);
    expect((await received.events.count(1)).map(textOf)).toEqual(['2']);
    await bus.close();
  });

  test('an effect that was not stored when the process ended comes again', async () => {
    const bus = harness.open();
    const group = newGroup();
    const failed = Promise.withResolvers<void>();
    const first = bus.consume({
      group,
      topics: PINGS,
      deadLetter: async () => undefined,
      retry: { initialMs: 60_000, maximumMs: 60_000, attempts: 3 },
      async handle() {
        failed.resolve();
        throw new Error('database away');
      },
    });
    await bus.publish([ping('1'), ping('2')]);
    await failed.promise;
    await first.stop();
    const received = collector();
    consume(bus, group, received);
    expect((await received.events.count(2)).map(textOf)).toEqual(['1', '2']);
    await bus.close();
  });

  test('events that cannot be published are returned with the reason; the others are published', async () => {
    const bus = harness.open();
    const unknown = { ...ping('x'), type: 'org.openedx.enterprise.core.pong.v1' };
    // Worked example 11: a transaction without a policy.
    const nullPolicy = reversed({ subsidy_access_policy_uuid: null });
    const extra = { ...ping('x'), data: { ping: { ping_uuid: 'k', ping_message: 'x', secret: 1 } } };
    const good = ping('good');
    const refused = await bus.publish([unknown, nullPolicy, good, extra]);
    expect(refused).toEqual([
      { event: unknown, reason: 'There is no event type org.openedx.enterprise.core.pong.v1.' },
      {
        event: nullPolicy,
        reason: 'The data does not fit its schema in: ledger_transaction.subsidy_access_policy_uuid.',
      },
      { event: extra, reason: 'The data does not fit its schema in: ping.' },
    ]);
    const received = collector();
    consume(bus, newGroup(), received);
    expect((await received.events.count(1)).map(({ id }) => id)).toEqual([good.id]);
    await bus.close();
  });

  test('nothing to publish is nothing to do', async () => {
    const bus = harness.open();
    expect(await bus.publish([])).toEqual([]);
    await bus.close();
  });

  test('a group is rewound to an instant', async () => {
    let now = NOON;
    const bus = harness.open({ now: () => now });
    const group = newGroup();
    for (const minute of [0, 1, 2, 3]) {
      now = new Date(NOON.getTime() + minute * 60_000);
      await bus.publish([ping(String(minute))]);
    }
    const first = collector();
    const subscription = consume(bus, group, first);
    await first.events.count(4);
    await subscription.stop();

    await bus.rewind({ group, topics: PINGS, to: new Date(NOON.getTime() + 90_000) });
    const again = collector();
    const second = consume(bus, group, again);
    expect((await again.events.count(2)).map(textOf)).toEqual(['2', '3']);
    await second.stop();

    // Later than everything: only what comes.
    await bus.rewind({ group, topics: PINGS, to: new Date(NOON.getTime() + 3_600_000) });
    await bus.publish([ping('new')]);
    const last = collector();
    consume(bus, group, last);
    expect((await last.events.count(1)).map(textOf)).toEqual(['new']);
    await bus.close();
  });

  test('defaults stand in for optional headers that are missing', async () => {
    const bus = harness.open({ now: () => NOON });
    const id = randomUUID();
    await harness.put({
      topic: topics.enterpriseCore,
      headers: [
        ['ce_type', PING],
        ['ce_id', id.toUpperCase()],
      ],
    });
    const received = collector();
    consume(bus, newGroup(), received);
    expect(await received.events.count(1)).toMatchObject([
      { id, time: NOON, source: 'openedx/enterprise_access/web', minorVersion: 0 },
    ]);
    await bus.close();
  });

  const badHeaders: [string, [string, string][], string, string][] = [
    ['no type', without('ce_type'), 'bad_header', 'ce_type is missing.'],
    ['two types', twice('ce_type'), 'bad_header', 'ce_type is there 2 times.'],
    ['a type that nobody knows', withValue('ce_type', 'org.openedx.unheard.of.v1'), 'unknown_type', ''],
    ['no id', without('ce_id'), 'bad_header', 'ce_id is missing.'],
    ['two ids', twice('ce_id'), 'bad_header', 'ce_id is there 2 times.'],
    ['an id that is no UUID', withValue('ce_id', '42'), 'bad_header', 'ce_id is malformed.'],
    ['two times', twice('ce_time'), 'bad_header', 'ce_time is there 2 times.'],
    [
      'another zone (example 10)',
      withValue('ce_time', '2026-03-02T11:00:00+01:00'),
      'bad_header',
      'ce_time is malformed.',
    ],
    ['no zone', withValue('ce_time', '2026-03-02T11:00:00'), 'bad_header', 'ce_time is malformed.'],
    ['two sources', twice('ce_source'), 'bad_header', 'ce_source is there 2 times.'],
    ['two hosts', twice('sourcehost'), 'bad_header', 'sourcehost is there 2 times.'],
    ['a minor version of words', withValue('ce_minorversion', 'one'), 'bad_header', 'ce_minorversion is malformed.'],
    ['a library of words', withValue('sourcelib', '10.5.0rc1'), 'bad_header', 'sourcelib is malformed.'],
  ];

  test('unusable headers: each message has its reason, and the ones behind them arrive (R-EVT-09)', async () => {
    const bus = harness.open();
    for (const [, headers] of badHeaders) await harness.put({ topic: topics.enterpriseCore, headers });
    await harness.put({ topic: topics.enterpriseCore, headers: goodHeaders() });
    const received = collector();
    const group = newGroup();
    consume(bus, group, received);
    await received.events.count(1);
    await received.letters.count(badHeaders.length);
    const found = received.letters.items.map(({ reason, detail }) => `${reason} ${detail}`).sort();
    expect(found).toEqual(
      badHeaders
        .map(([, , reason, detail]) => `${reason} ${detail || 'There is no definition of this event type.'}`)
        .sort(),
    );
    for (const letter of received.letters.items) {
      expect(letter.group).toBe(group);
      await expect(bus.read(letter.message)).rejects.toMatchObject({ reason: letter.reason });
    }
    await bus.close();
  });

  test('logs name positions and reasons, never data', async () => {
    const { log, lines } = watchedLog();
    const bus = harness.open({ log });
    const received = collector();
    bus.consume({
      group: newGroup(),
      topics: PINGS,
      retry: { ...QUICK, attempts: 1 },
      deadLetter: received.deadLetter,
      handle: () => Promise.reject(new Error('a bug')),
    });
    await bus.publish([ping('private')]);
    await lines.until((all) => all.some(({ message }) => message === 'message moved to the dead letters'));
    expect(JSON.stringify(lines.items)).not.toContain('private');
    await bus.close();
  });
}

/** Resolves when a condition of the program under test holds. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
