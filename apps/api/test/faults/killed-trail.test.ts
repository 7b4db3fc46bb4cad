import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { describe, expect, inject, test } from 'vitest';
import { demonstration, dialects, learnerToken, operatorToken, run } from '../support/harness.ts';
import { redeemAt, startApiProcess } from '../support/processes.ts';
import { disagreements, storedRows } from '../support/trail.ts';

/** For each engine. */
const KILLS = 12;

describe.each(dialects)('the audit trail on %s', (dialect) => {
  test('of a process that is killed at random moments agrees exactly with the rows', { timeout: 600_000 }, async () => {
    const { db, url, drop } = await createTestDatabase(inject('servers'), dialect);
    await seedDemonstration(db);
    const sandbox = await startSandbox({});
    const before = await storedRows(db);
    let learner = 1_000;
    let answers = 0;
    for (let round = 0; round < KILLS; round += 1) {
      const api = await startApiProcess(url, sandbox.url);
      const send = async (method: string, path: string, body: object): Promise<void> => {
        const headers = { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' };
        await fetch(`${api.url}${path}`, { method, headers, body: JSON.stringify(body) }).catch(() => undefined);
      };
      const policy = `/api/v1/subsidy-access-policies/${demonstration.enrollmentPolicy}/`;
      // Redemptions, changes of one row by many, and new rows; the moment is a number of answers and some milliseconds.
      const { promise: moment, resolve: now } = Promise.withResolvers<void>();
      let left = Math.floor(Math.random() * 15);
      const answered = (): void => {
        answers += 1;
        if (left === 0) now();
        left -= 1;
      };
      const storm = Array.from({ length: 20 }, async (_, at) => {
        const body = { lms_user_id: learner + at, content_key: run };
        if (at % 4 === 1) await send('PATCH', policy, { description: `round ${round}, ${at}` });
        else if (at % 4 === 2)
          await send('POST', '/api/v1/assignment-configurations/', {
            enterprise_customer_uuid: demonstration.customer,
          });
        else await redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner + at), body);
        answered();
      });
      learner += 20;
      await moment;
      await sleep(Math.random() * 20);
      await api.kill();
      await Promise.all(storm);
    }
    expect(answers).toBe(KILLS * 20);
    expect(await disagreements(db, before)).toEqual([]);
    const changes = await db('audit_changes').count({ n: '*' }).first();
    expect(Number(changes?.n)).toBeGreaterThan(KILLS);
    const empty = await db('audit_entries as e')
      .leftJoin('audit_changes as c', 'c.entry_uuid', 'e.uuid')
      .whereNull('c.entry_uuid')
      .pluck('e.uuid');
    expect(empty).toEqual([]);
    await sandbox.close();
    await drop();
  });
});
