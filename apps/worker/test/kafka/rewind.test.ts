import { embeddedBus, eventTypesOf } from '@enterprise-access/bus';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { consumers, events, newUuid, runJob } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { describe, expect, inject, test, vi } from 'vitest';
import { rewindJob } from '../../src/rewind.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const PING = 'org.openedx.enterprise.core.ping.v1';
const EARLY = new Date('2026-03-01T00:00:00.000Z');
const LATE = new Date('2026-03-02T00:00:00.000Z');

describe.each(dialects)('consuming again on %s', (dialect) => {
  test('from an instant on; a dry run changes nothing', async () => {
    const { db, drop } = await createTestDatabase(inject('servers'), dialect, 5);
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
    let now = EARLY;
    const open = () =>
      embeddedBus({ db, eventTypes: eventTypesOf(events.values()), service: 'test', now: () => now, log: silent });
    const bus = open();
    const ping = (text: string) => ({
      id: newUuid(),
      type: PING,
      key: 'k',
      data: { ping: { ping_uuid: 'k', ping_message: text } },
      time: now,
    });
    await bus.publish([ping('early')]);
    now = LATE;
    await bus.publish([ping('late')]);

    /** What the group sees until it has seen so many, or at least nothing for a look. */
    const seen = async (count: number): Promise<string[]> => {
      const texts: string[] = [];
      const reader = open();
      reader.consume({
        group: 'g',
        topics: ['enterprise-core'],
        handle: async ({ data }) => void texts.push((data.ping as { ping_message: string }).ping_message),
        deadLetter: async () => undefined,
      });
      await vi.waitFor(() => expect(texts.length).toBeGreaterThanOrEqual(count), { timeout: 10_000, interval: 10 });
      await reader.close();
      return texts;
    };
    const rewind = (to: Date, dryRun = false) =>
      runJob(
        testRuntime(db, emptyWorld()),
        rewindJob(
          () => bus,
          () => 'g',
          consumers,
        ),
        {
          uuid: newUuid(),
          payload: { to: to.toISOString() },
          signal: new AbortController().signal,
          dryRun,
          isLast: true,
        },
      );

    expect(await seen(2)).toEqual(['early', 'late']);
    expect((await rewind(EARLY, true)).topics).toBeGreaterThan(0);
    expect(await seen(0)).toEqual([]);
    await rewind(LATE);
    expect(await seen(1)).toEqual(['late']);
    await rewind(EARLY);
    expect(await seen(2)).toEqual(['early', 'late']);
    await bus.close();
    await drop();
  });
});
