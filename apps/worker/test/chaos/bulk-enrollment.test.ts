import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { newUuid } from '@enterprise-access/domain';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { expect, inject, test, vi } from 'vitest';
import { dialects, tokenFor } from '../../../api/test/support/harness.ts';
import { startApiProcess } from '../../../api/test/support/processes.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';

const LEARNERS = 2_500;
const COURSES = 4;
const PAIRS = LEARNERS * COURSES;
/** Of the learners: the LMS refuses the first ones, and the next have no account. */
const [REFUSED, STRANGERS] = [100, 100];
/** Kill workers when so many pairs have an outcome. */
const KILLED_AT = [2_000, 6_000];
const { customer, agreement, catalog } = demonstration;
const ENROLL = `/lms/enterprise/api/v1/enterprise-customer/${customer}/enroll_learners_in_courses/`;

const addressOf = (at: number): string =>
  at < REFUSED
    ? `fail@number-${at}.example`
    : at < REFUSED + STRANGERS
      ? `nobody-${at}@bulk.example`
      : `l-${at}@bulk.example`;

/** A current plan in which everybody has an activated licence. */
async function makePlan(db: Database): Promise<string> {
  const [uuid, now] = [newUuid(), new Date()];
  await db('subscription_plans').insert({
    uuid,
    enterprise_customer_uuid: customer,
    customer_agreement_uuid: agreement,
    title: 'Bulk',
    start_date: new Date(now.getTime() - 86_400_000),
    expiration_date: new Date(now.getTime() + 86_400_000),
    enterprise_catalog_uuid: catalog,
    is_active: true,
    revoke_max_percentage: 5,
    activated_count: LEARNERS,
    created: now,
    modified: now,
  });
  const rows = Array.from({ length: LEARNERS }, (_, at) => ({
    uuid: newUuid(),
    enterprise_customer_uuid: customer,
    subscription_plan_uuid: uuid,
    status: 'activated',
    user_email: addressOf(at),
    activation_key: newUuid(),
    auto_applied: false,
    created: now,
    modified: now,
  }));
  for (let at = 0; at < rows.length; at += 500) await db('licenses').insert(rows.slice(at, at + 500));
  return uuid;
}

test.each(dialects)(
  'ten thousand pairs on %s, the LMS failing for some, the worker killed twice: every pair an outcome, nobody enrolled twice',
  { timeout: 900_000 },
  async (dialect) => {
    const business = await createTestDatabase(inject('servers'), dialect, 5);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    const { db } = business;
    await seedDemonstration(db);
    const folder = await mkdtemp(join(tmpdir(), 'files-'));
    const sandbox = await startSandbox({});
    const files = { FILES_FOLDER: folder, FILES_LINK_SECRET: 'a secret of the tests only, and a long one' };
    const api = await startApiProcess(business.url, sandbox.url, files);
    const environment = { ...settingsFor(business.url, queues.url, sandbox.url), ...files };
    const control = async (method: string, path: string, body?: object) => {
      const reply = await fetch(`${sandbox.url}/control${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      expect(reply.ok, await reply.clone().text()).toBe(true);
      return reply.status === 204 ? null : reply.json();
    };
    const token = tokenFor('enterprise_admin', customer, 7);
    const ask = async (method: string, path: string, body?: object) => {
      const reply = await fetch(`${api.url}/api/v1/${path}`, {
        method,
        headers: { authorization: `JWT ${token}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
    };
    const done = async () =>
      Number((await db('bulk_enrollment_pairs').whereNotNull('outcome').count({ n: '*' }).first())?.n);
    try {
      const accounts = Array.from({ length: LEARNERS }, (_, at) => at).filter((at) => at >= REFUSED + STRANGERS);
      for (let at = 0; at < accounts.length; at += 500) {
        const some = accounts.slice(at, at + 500);
        await control(
          'PUT',
          '/learners',
          some.map((n) => ({ lmsUserId: 500_000 + n, email: addressOf(n) })),
        );
      }
      const keys = Array.from({ length: COURSES }, (_, at) => `edX+Bulk${at}`);
      await control(
        'PUT',
        '/courses',
        keys.map((courseKey) => ({ courseKey, catalogUuids: [catalog] })),
      );
      const plan = await makePlan(db);
      // Calls fail, or succeed and their answer is lost; the rest is slow, so that workers die while one is under way.
      await control('PUT', '/faults', { method: 'POST', path: ENROLL, status: 500, times: 3 });
      await control('PUT', '/faults', { method: 'POST', path: ENROLL, loseReply: true, times: 4 });
      await control('PUT', '/faults', { method: 'POST', path: ENROLL, latencyMs: 100 });

      const made = await ask(
        'POST',
        `bulk-license-enrollment/?enterprise_customer_uuid=${customer}&subscription_uuid=${plan}&enroll_all=true`,
        { emails: ['all@x.org'], course_run_keys: keys.map((key) => `course-v1:${key}+2T2026`), notify: false },
      );
      expect(made).toMatchObject({ status: 201 });
      for (const count of KILLED_AT) {
        const worker = await startWorkerProcess(environment);
        await vi.waitFor(async () => expect(await done()).toBeGreaterThanOrEqual(count), {
          timeout: 240_000,
          interval: 10,
        });
        await worker.kill();
        await passMinute({ db, queues: queues.db });
        expect(await done()).toBeLessThan(PAIRS);
      }
      const worker = await startWorkerProcess(environment);
      const status = () =>
        ask(
          'GET',
          `bulk-license-enrollment/?enterprise_customer_uuid=${customer}&bulk_enrollment_job_uuid=${made.body.job_id}`,
        );
      await vi.waitFor(async () => expect((await status()).body.download_url).not.toBeNull(), {
        timeout: 480_000,
        interval: 200,
      });
      expect(await worker.stop()).toBe(0);

      const enrolled = (LEARNERS - REFUSED - STRANGERS) * COURSES;
      const counts: { outcome: string; n: number }[] = await db('bulk_enrollment_pairs')
        .groupBy('outcome')
        .select('outcome')
        .count({ n: '*' });
      expect(Object.fromEntries(counts.map(({ outcome, n }) => [outcome, Number(n)]))).toEqual({
        success: enrolled,
        pending: STRANGERS * COURSES,
        failed: REFUSED * COURSES,
      });
      expect(await control('GET', '/enrolments')).toEqual({ total: enrolled, distinct: enrolled });

      // The process chose its port itself, so its links do not know it.
      const { pathname, search } = new URL(String((await status()).body.download_url));
      const link = `${api.url}${pathname}${search}`;
      const file = await fetch(link);
      expect(file.headers.get('content-disposition')).toMatch(/^attachment; filename="Bulk-Enrollment-Results-/);
      const lines = (await file.text()).split('\r\n');
      expect(lines).toHaveLength(PAIRS + 2);
      expect(new Set(lines).size).toBe(PAIRS + 2);
      expect((await fetch(link.replace('signature=', 'signature=x'))).status).toBe(404);
    } finally {
      await api.stop();
      await sandbox.close();
      await business.drop();
      await queues.drop();
      await rm(folder, { recursive: true });
    }
  },
);
