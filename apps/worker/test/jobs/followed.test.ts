import { randomUUID } from 'node:crypto';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { describe, expect, inject, test, vi } from 'vitest';
import { dialects, tokenFor } from '../../../api/test/support/harness.ts';
import { redeemAt, startApiProcess } from '../../../api/test/support/processes.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';

const COURSE = 'edX+DemoX';
const RUN = 'course-v1:edX+DemoX+2T2026';
const LEARNER = 1_000;
const EMAIL = 'learner-1000@demo.example';
const admin = tokenFor('enterprise_admin', demonstration.customer, 8);
const learner = tokenFor('enterprise_learner', demonstration.customer, LEARNER, { email: EMAIL });

interface Entry {
  readonly operation: string;
  readonly source: string;
  readonly correlation_id: string;
}
interface Message {
  readonly kind: string;
  readonly name: string;
  readonly sent: string | null;
}

describe.each(dialects)('API and worker as processes on %s', (dialect) => {
  test('jobs, mails, events and the redemption that follow an allocation are found by its correlation id', {
    timeout: 120_000,
  }, async () => {
    const business = await createTestDatabase(inject('servers'), dialect, 2);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    await seedDemonstration(business.db);
    const sandbox = await startSandbox({});
    const [api, worker] = await Promise.all([
      startApiProcess(business.url, sandbox.url),
      startWorkerProcess(settingsFor(business.url, queues.url, sandbox.url)),
    ]);
    const call = async <T>(method: string, path: string, token: string, body?: object, headers = {}): Promise<T> => {
      const reply = await fetch(`${api.url}${path}`, {
        method,
        headers: { authorization: `JWT ${token}`, 'content-type': 'application/json', ...headers },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await reply.text();
      expect(reply.status, `${method} ${path}: ${text}`).toBeLessThan(300);
      return JSON.parse(text);
    };
    const correlation = randomUUID();
    const query = `correlation_id=${correlation}&enterprise_customer_uuid=${demonstration.customer}`;
    const entries = async (): Promise<Entry[]> =>
      (await call<{ items: Entry[] }>('GET', `/api/v1/audit/entries/?${query}&page_size=100`, admin)).items;
    const messages = async (): Promise<Message[]> =>
      (await call<{ items: Message[] }>('GET', `/api/v1/audit/followups/?${query}&page_size=100`, admin)).items;
    const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 100 });

    const path = `/api/v1/policy-allocation/${demonstration.assignedPolicy}/allocate/`;
    const order = { learner_emails: [EMAIL], content_key: COURSE, content_price_cents: 14_900 };
    await call('POST', path, admin, order, { 'x-correlation-id': correlation });
    // The worker sends the mail, and says so in the trail.
    await eventually(async () => {
      expect((await entries()).map(({ operation }) => operation)).toContain('assignments.notify');
      expect((await messages()).every(({ sent }) => sent !== null)).toBe(true);
    });

    const { assignment_configuration_uuid: configuration } = await business
      .db('assignments')
      .first('assignment_configuration_uuid');
    await call('GET', `/api/v1/assignment-configurations/${configuration}/assignments/`, learner);
    const redeemed = await redeemAt(api.url, demonstration.assignedPolicy, learner, {
      lms_user_id: LEARNER,
      content_key: RUN,
    });
    expect(redeemed?.status, JSON.stringify(redeemed?.body)).toBe(200);
    await eventually(async () => {
      expect((await messages()).every(({ sent }) => sent !== null)).toBe(true);
    });

    const told = await entries();
    // Whether the account is linked by the job or by the login depends on which is first.
    const operations = told.map(({ operation, source }) => `${source} ${operation}`).toReversed();
    expect(operations[0]).toBe('rest policies.allocate');
    expect(operations.at(-1)).toBe('rest redemptions.redeem');
    expect(operations).toContain('job assignments.notify');
    // The redemption is a call of its own, which follows that of the allocation; the jobs belong to the allocation.
    for (const { source, correlation_id: id } of told) if (source === 'job') expect(id).toBe(correlation);
    expect(told[0]?.correlation_id).not.toBe(correlation);
    const names = (await messages()).map(({ kind, name }) => `${kind} ${name}`);
    expect(names).toContain('job assignments.notify');
    const redeemEvents = await business
      .db('outbox')
      .where({ correlation_id: told[0]?.correlation_id ?? '' })
      .orderBy('position')
      .select('kind', 'name');
    expect(redeemEvents.length).toBeGreaterThan(1);
    expect(names).toEqual(expect.arrayContaining(redeemEvents.map(({ kind, name }) => `${kind} ${name}`)));

    await Promise.all([api.stop(), worker.stop()]);
    await Promise.all([sandbox.close(), business.drop(), queues.drop()]);
  });
});
