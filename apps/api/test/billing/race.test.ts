import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { describe, expect, inject, test } from 'vitest';
import { dialects } from '../support/harness.ts';
import { startApiProcess } from '../support/processes.ts';
import { buyerToken, INTENTS } from './support.ts';

const BUYERS = 100;

describe.each(dialects)('two processes on %s', { timeout: 180_000 }, (dialect) => {
  test('R-BILL-02: a hundred buyers race for one slug; one has it, the others get the declared refusal', async () => {
    const [{ db, url, drop }, sandbox] = await Promise.all([
      createTestDatabase(inject('servers'), dialect, 5),
      startSandbox({}),
    ]);
    await seedDemonstration(db);
    const processes = await Promise.all([startApiProcess(url, sandbox.url), startApiProcess(url, sandbox.url)]);
    try {
      const ask = async (round: string, at: number) => {
        const reply = await fetch(`${processes[at % 2]?.url}${INTENTS}`, {
          method: 'POST',
          headers: { authorization: `JWT ${buyerToken(1_000 + at)}`, 'content-type': 'application/json' },
          body: JSON.stringify({ quantity: 5, enterprise_slug: round, enterprise_name: `The ${round}` }),
        });
        return { status: reply.status, body: (await reply.json()) as { detail?: string } };
      };
      for (const round of ['first', 'second', 'third']) {
        // Buyers of the demonstration that have bought are not among them.
        const replies = await Promise.all(Array.from({ length: BUYERS }, (_, at) => ask(round, at + 1)));
        const winners = replies.filter(({ status }) => status === 201);
        expect(winners).toHaveLength(1);
        const others = replies.filter(({ status }) => status !== 201);
        expect(new Set(others.map(({ status, body }) => `${status} ${body.detail}`))).toEqual(
          new Set(['422 enterprise_slug or enterprise_name has already been reserved.']),
        );
        const holders = await db('checkout_intents').where({ enterprise_slug: round }).whereNot({ state: 'expired' });
        expect(holders).toHaveLength(1);
      }
    } finally {
      await Promise.all(processes.map((each) => each.stop()));
      await sandbox.close();
      await drop();
    }
  });
});
