import { type Database, transaction } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { jobs, newUuid } from '@enterprise-access/domain';
import { startSandbox } from '@enterprise-access/sandbox';
import { expect, inject, test, vi } from 'vitest';
import { enqueue } from '../../../../packages/domain/src/kernel/jobs/job.ts';
import { countersOf, licenseRow, newAgreement, newPlan } from '../../../api/test/licenses/lifecycle-plans.ts';
import { dialects } from '../../../api/test/support/harness.ts';
import { settingsFor, startWorkerProcess, type WorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';

const LICENSES = 5_000;
/** The worker is killed when so many are done, in the middle of the next batch. */
const KILLED_AT = [500, 2_000];
const BATCH = 50;
const DAY_MS = 86_400_000;
const EXPIRED = 'edx.server.license-manager.license-lifecycle.expired';

const contractOf = (name: string) => {
  const found = jobs.find(({ contract }) => contract.name === name);
  if (!found) throw new Error(`There is no job ${name}.`);
  return found.contract;
};
const order = (db: Database, name: string) =>
  transaction(db, (trx) => enqueue(trx, new Date(), contractOf(name), { batch: BATCH }));
const count = async (query: Promise<unknown>) => Number(((await query) as { n: number | string } | undefined)?.n ?? 0);

test.each(dialects)(
  'licences of a plan on %s are expired and then retired, each once, although the worker is killed on the way',
  { timeout: 600_000 },
  async (dialect) => {
    const business = await createTestDatabase(inject('servers'), dialect, 5);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    const { db } = business;
    const sandbox = await startSandbox({});
    const environment = settingsFor(business.url, queues.url, sandbox.url);
    // Slow enough that a kill meets the job at work.
    const slow = { path: '/lms/enterprise/api/v1/licensed-enterprise-course-enrollment/', latencyMs: 20 };
    await fetch(`${sandbox.url}/control/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(slow),
    });
    const workers: WorkerProcess[] = [];
    const ended = new Set<WorkerProcess>();
    const kill = async (worker: WorkerProcess) => {
      await worker.kill();
      ended.add(worker);
    };
    const startWorker = async () => {
      const worker = await startWorkerProcess(environment);
      workers.push(worker);
      return worker;
    };
    const waiting = { timeout: 240_000, interval: 10 };
    try {
      const agreement = await newAgreement({ db });
      const rows = Array.from({ length: LICENSES }, (_, at) =>
        licenseRow(at % 4 === 0 ? 'assigned' : 'activated', { user_email: `learner-${at}@kills.example` }),
      );
      const expired = { expiration_date: new Date(Date.now() - 100 * DAY_MS) };
      const plan = await newPlan({ db }, agreement, rows, expired);
      const planRow = () => db('subscription_plans').where({ uuid: plan }).first();

      /** A job that was interrupted does not wait for its next attempt. */
      const hurry = () =>
        queues
          .db('pgboss.job')
          .where({ state: 'retry' })
          .update({ start_after: new Date(0) });
      const killWhen = async (done: () => Promise<number>) => {
        for (const limit of KILLED_AT) {
          const worker = await startWorker();
          await vi.waitFor(async () => {
            await hurry();
            expect(await done()).toBeGreaterThanOrEqual(limit);
          }, waiting);
          await kill(worker);
          await passMinute({ db, queues: queues.db });
          expect(await done()).toBeLessThan(LICENSES);
        }
      };
      /** Licences for which the LMS was asked. */
      const sent = async () => {
        const { expiration_sent_to: last, expiration_processed: isDone } = await planRow();
        if (isDone) return LICENSES;
        const upTo = db('licenses')
          .where({ subscription_plan_uuid: plan })
          .where('uuid', '<=', last ?? newUuid());
        return last === null ? 0 : count(upTo.count({ n: '*' }).first());
      };
      const retired = () => count(db('licenses').where({ status: 'revoked' }).count({ n: '*' }).first());

      await order(db, 'licenses.expirePlans');
      await killWhen(sent);
      const second = await startWorker();
      await vi.waitFor(async () => {
        await hurry();
        expect((await planRow()).expiration_processed).toBeTruthy();
      }, waiting);
      const events = () => db('outbox').where({ name: EXPIRED });
      await vi.waitFor(async () => expect(await count(events().count({ n: '*' }).first())).toBe(LICENSES), waiting);
      await kill(second);
      await passMinute({ db, queues: queues.db });
      const { total } = (await (
        await fetch(`${sandbox.url}/control/requests?path=/lms/enterprise/api/v1/licensed`)
      ).json()) as {
        total: number;
      };
      // What was under way at a kill is asked for again, and no more.
      expect(total).toBeLessThanOrEqual(LICENSES / BATCH + KILLED_AT.length);

      await order(db, 'licenses.retire');
      await killWhen(retired);
      const last = await startWorker();
      await vi.waitFor(async () => {
        await hurry();
        expect(await retired()).toBe(LICENSES);
      }, waiting);
      expect(await last.stop()).toBe(0);
      ended.add(last);
      const { stored, counted } = await countersOf({ db }, plan);
      expect([stored, stored]).toEqual([counted, [0, 0, 0, LICENSES, LICENSES]]);
      const records = await db('audit_changes')
        .where({ subject_kind: 'license', note: 'retired' })
        .count({ n: '*' })
        .countDistinct({ subjects: 'subject_uuid' })
        .first();
      expect([Number(records?.n), Number(records?.subjects)]).toEqual([LICENSES, LICENSES]);
      const revoked = 'edx.server.license-manager.license-lifecycle.revoked';
      expect(await count(db('outbox').where({ name: revoked }).count({ n: '*' }).first())).toBe(LICENSES);
    } finally {
      for (const { pid } of workers.filter((worker) => !ended.has(worker))) process.kill(pid, 'SIGKILL');
      await sandbox.close();
      await business.drop();
      await queues.drop();
    }
  },
);
