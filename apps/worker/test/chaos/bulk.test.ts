import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { expect, inject, test, vi } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import { dialects, operatorToken, tokenFor } from '../../../api/test/support/harness.ts';
import { startApiProcess } from '../../../api/test/support/processes.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';

const LEARNERS = 10_000;
const PRICE = 14_900;
/** Kill workers when this number of learners have an assignment, in the middle of the next chunk. */
const KILLED_AT = [2_000, 6_000];

test.each(dialects)(
  'ten thousand learners on %s, the worker killed twice on the way: every learner once, every dollar held once',
  { timeout: 900_000 },
  async (dialect) => {
    const business = await createTestDatabase(inject('servers'), dialect, 5);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    const { db } = business;
    await seedDemonstration(db);
    const money = LEARNERS * PRICE;
    const sandbox = await startSandbox({});
    const api = await startApiProcess(business.url, sandbox.url);
    const environment = settingsFor(business.url, queues.url, sandbox.url);
    const admin = tokenFor('enterprise_admin', demonstration.customer, 7);
    const ask = async (method: string, path: string, body?: object, token = admin) => {
      const reply = await fetch(`${api.url}${path}`, {
        method,
        headers: { authorization: `JWT ${token}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
    };
    const path = `/api/v1/policy-allocation/${demonstration.assignedPolicy}`;
    const allocated = async () => Number((await db('assignments').count({ n: '*' }).first())?.n);
    try {
      const deposit = { quantity_cents: money, sales_contract_reference_id: '00kDEMO0000000009A' };
      const policyPath = `/api/v1/subsidy-access-policies/${demonstration.assignedPolicy}/`;
      expect((await ask('POST', `${policyPath}deposit/`, deposit, operatorToken())).status).toBe(200);
      await db('policies').where({ uuid: demonstration.assignedPolicy }).update({ spend_limit_cents: money });

      const made = await ask('POST', `${path}/allocate-in-bulk/`, {
        content_key: 'edX+DemoX',
        content_price_cents: PRICE,
        learner_emails: Array.from({ length: LEARNERS }, (_, at) => `learner-${at}@bulk.example`),
        suppress_email: true,
      });
      expect(made).toMatchObject({ status: 202, body: { learner_count: LEARNERS } });

      for (const count of KILLED_AT) {
        const worker = await startWorkerProcess(environment);
        await vi.waitFor(async () => expect(await allocated()).toBeGreaterThanOrEqual(count), {
          timeout: 240_000,
          interval: 10,
        });
        await worker.kill();
        await passMinute({ db, queues: queues.db });
        expect(await allocated()).toBeLessThan(LEARNERS);
      }

      const worker = await startWorkerProcess(environment);
      const job = () => ask('GET', `/api/v1/jobs/${made.body.job_uuid}/`);
      await vi.waitFor(async () => expect((await job()).body.state).toBe('completed'), {
        timeout: 480_000,
        interval: 200,
      });
      expect((await job()).body.result).toEqual({ created: LEARNERS, updated: 0, unchanged: 0, failed: 0 });
      expect(await worker.stop()).toBe(0);

      expect(await allocated()).toBe(LEARNERS);
      const learners = await db('assignments').countDistinct({ n: 'learner_email_key' }).first();
      expect(Number(learners?.n)).toBe(LEARNERS);
      const failed = await ask('GET', `${path}/bulk-allocations/${made.body.uuid}/?only_failed=true`);
      expect(failed.body).toMatchObject({ count: 0 });
      const policy = await db('policies').where({ uuid: demonstration.assignedPolicy }).first('allocated_cents');
      expect(Number(policy?.allocated_cents)).toBe(money);
      await assertTotals(db);
    } finally {
      await api.stop();
      await sandbox.close();
      await business.drop();
      await queues.drop();
    }
  },
);
