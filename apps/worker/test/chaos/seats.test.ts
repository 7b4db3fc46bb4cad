import { transaction } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { enqueue, jobs } from '@enterprise-access/domain';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { expect, inject, test, vi } from 'vitest';
import { dialects } from '../../../api/test/support/harness.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';

const LICENSES = 60_000;
/** The worker is killed when the plan has so many licences, in the middle of the next batch. */
const KILLED_AT = [10_000, 30_000];
const { otherPlan: planUuid, otherCustomer: enterpriseCustomerUuid } = demonstration;

test.each(dialects)(
  'sixty thousand licences on %s, the worker killed twice on the way: the count is exact',
  { timeout: 600_000 },
  async (dialect) => {
    const business = await createTestDatabase(inject('servers'), dialect, 5);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    const { db } = business;
    await seedDemonstration(db);
    const sandbox = await startSandbox({});
    const environment = settingsFor(business.url, queues.url, sandbox.url);
    const plan = () => db('subscription_plans').where({ uuid: planUuid }).first();
    try {
      await db('subscription_plans').where({ uuid: planUuid }).update({ desired_num_licenses: LICENSES });
      const contract = jobs.find(({ contract: { name } }) => name === 'licenses.provision')?.contract;
      if (!contract) throw new Error('The job is gone.');
      const job = await transaction(db, (trx) =>
        enqueue(trx, new Date(), contract, { planUuid, enterpriseCustomerUuid }),
      );

      for (const count of KILLED_AT) {
        const worker = await startWorkerProcess(environment);
        await vi.waitFor(async () => expect((await plan()).unassigned_count).toBeGreaterThanOrEqual(count), {
          timeout: 240_000,
          interval: 10,
        });
        await worker.kill();
        await passMinute({ db, queues: queues.db });
        expect((await plan()).unassigned_count).toBeLessThan(LICENSES);
      }

      const worker = await startWorkerProcess(environment);
      const run = () => db('job_runs').where({ uuid: job }).first();
      await vi.waitFor(async () => expect((await run()).state).toBe('completed'), { timeout: 240_000, interval: 100 });
      expect(await worker.stop()).toBe(0);

      expect((await plan()).unassigned_count).toBe(LICENSES);
      const stored = await db('licenses').where({ subscription_plan_uuid: planUuid }).count({ n: '*' }).first();
      expect(Number(stored?.n)).toBe(LICENSES);
      // The trail of the plan accounts for all licences that the job added, whichever attempt did.
      const notes: { note: string }[] = await db('audit_changes')
        .where({ subject_uuid: planUuid })
        .whereNotNull('note');
      const added = notes.map(({ note }) => Number(/^provisioned (\d+) licenses$/.exec(note)?.[1]));
      expect(added.reduce((sum, n) => sum + n, 0)).toBe(LICENSES - 10);
    } finally {
      await sandbox.close();
      await business.drop();
      await queues.drop();
    }
  },
);
