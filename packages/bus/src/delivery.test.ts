import { expect, test } from 'vitest';
import { collector, watchedLog } from '../test/collector.ts';
import { NOON } from '../test/events.ts';
import type { DeadLetter, RawMessage, ReceivedEvent } from './bus.ts';
import { delivery } from './delivery.ts';
import { RegistryUnavailable } from './registry.ts';

const RETRY = { initialMs: 100, maximumMs: 1_000, attempts: 3 };

const message = (offset: string): RawMessage => ({
  position: { topic: 't', partition: 0, offset },
  key: null,
  value: null,
  headers: {},
});

const event = ({ position }: RawMessage): ReceivedEvent => ({
  id: `id-${position.offset}`,
  type: 'type',
  data: {},
  time: NOON,
  source: 's',
  minorVersion: 0,
  trace: null,
  correlationId: null,
  position,
});

test('delays double up to their maximum, and are reset for the next message', async () => {
  let isDown = true;
  const received = collector();
  const deliver = delivery({
    group: 'g',
    retry: { ...RETRY, attempts: 99 },
    log: watchedLog().log,
    read: async (raw) => event(raw),
    handle: (arrived) => (isDown ? Promise.reject(new Error('away')) : received.handle(arrived)),
    deadLetter: received.deadLetter,
  });
  const waits: number[] = [];
  for (let n = 0; n < 6; n += 1) waits.push((await deliver(message('1'))) ?? 0);
  [100, 200, 400, 800, 1000, 1000].forEach((expected, n) => {
    expect(waits[n]).toBeGreaterThanOrEqual(expected * 0.8);
    expect(waits[n]).toBeLessThanOrEqual(expected);
  });
  isDown = false;
  expect(await deliver(message('1'))).toBeNull();
  isDown = true;
  expect(await deliver(message('2'))).toBeLessThanOrEqual(100);
});

test('a registry that is away is waited for, however long; no message becomes a dead letter for it', async () => {
  let failures = 50;
  const received = collector();
  const deliver = delivery({
    group: 'g',
    retry: RETRY,
    log: watchedLog().log,
    async read(raw) {
      failures -= 1;
      if (failures >= 0) throw new RegistryUnavailable('away');
      return event(raw);
    },
    ...received,
  });
  for (let n = 0; n < 50; n += 1) expect(await deliver(message('1'))).not.toBeNull();
  expect(await deliver(message('1'))).toBeNull();
  expect(received.events.items).toHaveLength(1);
  expect(received.letters.items).toEqual([]);
});

test('after an outage the handler is tried again before a dead letter is stored', async () => {
  let isDown = true;
  const letters: DeadLetter[] = [];
  const down = async () => {
    if (isDown) throw new Error('database away');
  };
  const deliver = delivery({
    group: 'g',
    retry: RETRY,
    log: watchedLog().log,
    read: async (raw) => event(raw),
    handle: down,
    async deadLetter(letter) {
      await down();
      letters.push(letter);
    },
  });
  for (let n = 0; n < 10; n += 1) expect(await deliver(message('1'))).not.toBeNull();
  isDown = false;
  expect(await deliver(message('1'))).toBeNull();
  expect(letters).toEqual([]);
});
