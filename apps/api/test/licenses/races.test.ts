import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { dialects, tokenFor } from '../support/harness.ts';
import { type ApiProcess, startApiProcess } from '../support/processes.ts';
import { countersOf, licenseRow, newAgreement, newPlan } from './lifecycle-plans.ts';
import { emailOf, free, held, many } from './seats-world.ts';

const DAY_MS = 86_400_000;
/** What these tests read of replies; a refusal is a text. */
type Reply = string & {
  readonly user_email: string;
  readonly license_assignments: readonly { readonly license: string }[];
};

/** Plans of these tests are current by the clock of the processes. */
const current = () => ({
  start_date: new Date(Date.now() - DAY_MS),
  expiration_date: new Date(Date.now() + 100 * DAY_MS),
});

describe.each(dialects)('callers at once at two API processes, on %s', (dialect) => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  let apis: ApiProcess[];
  beforeAll(async () => {
    [database, sandbox] = await Promise.all([createTestDatabase(inject('servers'), dialect), startSandbox()]);
    const start = () =>
      startApiProcess(database.url, sandbox.url, {
        LOG_LEVEL: 'error',
        DATABASE_POOL_SIZE: '10',
        THROTTLE_ACTOR_PER_MINUTE: '100000',
      });
    apis = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.stop()));
    await Promise.all([sandbox.close(), database.drop()]);
  });

  /** The calls alternate between the processes. */
  async function post(at: number, path: string, token: string, body: object = {}) {
    const url = apis[at % apis.length]?.url ?? '';
    const reply = await fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `JWT ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: reply.status, body: (await reply.json()) as Reply };
  }
  const countOf = (replies: readonly { status: number }[], status: number): number =>
    replies.filter((reply) => reply.status === status).length;
  const setting = async (licenses: Parameters<typeof newPlan>[2], change: Parameters<typeof newPlan>[3] = {}) => {
    const agreement = await newAgreement(database);
    const plan = await newPlan(database, agreement, licenses, { ...current(), ...change });
    const admin = tokenFor('enterprise_admin', agreement.customer, 900);
    const rows = (status: string) => database.db('licenses').where({ subscription_plan_uuid: plan, status });
    return { agreement, plan, admin, rows };
  };

  test('W-12: 500 learners for 100 seats: exactly 100 have one, the others are refused, nothing fails', async () => {
    const { agreement, plan, rows } = await setting(free(100), { should_auto_apply_licenses: true });
    const path = `customer-agreement/${agreement.uuid}/auto-apply/`;
    const replies = await Promise.all(
      many(500, (at) =>
        post(at, path, tokenFor('enterprise_learner', agreement.customer, 10_000 + at, { email: emailOf(at) })),
      ),
    );
    expect([countOf(replies, 200), countOf(replies, 422)]).toEqual([100, 400]);
    const texts = new Set(replies.filter(({ status }) => status === 422).map(({ body }) => body));
    expect(texts).toEqual(
      new Set([
        'There are no licenses remaining in your organization. Please contact your administrator for further assistance.',
      ]),
    );
    const told = replies.filter(({ status }) => status === 200).map(({ body }) => body.user_email);
    const seated = (await rows('activated')).map((row) => row.user_email);
    expect(seated.toSorted()).toEqual(told.toSorted());
    const { stored, counted } = await countersOf(database, plan);
    expect(stored).toEqual(counted);
  });

  test('R-LIC-41, W-17: 8 assigns of overlapping addresses: each address has one licence, in any case of letters', async () => {
    const { plan, admin, rows } = await setting(free(300));
    const of = (at: number) =>
      many(80, (each) => emailOf((at * 20 + each) % 200)).map((email) => (at % 2 ? email.toUpperCase() : email));
    const path = `subscriptions/${plan}/licenses/assign/`;
    const replies = await Promise.all(many(8, (at) => post(at, path, admin, { user_emails: of(at) })));
    expect(countOf(replies, 200)).toBe(8);
    const assigned = await rows('assigned');
    expect(assigned).toHaveLength(200);
    expect(new Set(assigned.map((row) => row.user_email)).size).toBe(200);
    const told = replies.flatMap(({ body }) => body.license_assignments.map(({ license }) => license));
    expect(new Set(told)).toEqual(new Set(assigned.map((row) => row.uuid)));
    expect(told).toHaveLength(200);
    const { stored, counted } = await countersOf(database, plan);
    expect(stored).toEqual(counted);
  });

  test('corrections 2: assigns of more than there is: all of one request or nothing of it', async () => {
    const { plan, admin, rows } = await setting(free(100));
    const path = `subscriptions/${plan}/licenses/assign/`;
    const replies = await Promise.all(
      many(8, (at) => post(at, path, admin, { user_emails: many(40, (each) => emailOf(at * 40 + each)) })),
    );
    expect([countOf(replies, 200), countOf(replies, 400)]).toEqual([2, 6]);
    expect(await rows('assigned')).toHaveLength(80);
  });

  test('W-13: ten administrators against a cap revoke exactly what it allows', async () => {
    const { plan, admin, rows } = await setting(
      many(100, (at) => held('activated', at)),
      { is_revocation_cap_enabled: true, revoke_max_percentage: 7 },
    );
    const path = `subscriptions/${plan}/licenses/bulk-revoke/`;
    const replies = await Promise.all(many(100, (at) => post(at, path, admin, { user_emails: [emailOf(at)] })));
    expect([countOf(replies, 200), countOf(replies, 400)]).toEqual([7, 93]);
    expect(await rows('revoked')).toHaveLength(7);
    expect(await rows('unassigned')).toHaveLength(7);
    const { stored, counted } = await countersOf(database, plan);
    expect(stored).toEqual(counted);
  });

  test('everything at once on one plan: nothing fails, and the counters agree', async () => {
    const { agreement, plan, admin } = await setting(
      [...free(60), ...many(40, (at) => licenseRow('assigned', { user_email: emailOf(at) }))],
      { should_auto_apply_licenses: true },
    );
    const licenses = `subscriptions/${plan}/licenses`;
    const replies = await Promise.all(
      many(120, (at) => {
        if (at % 4 === 0) return post(at, `${licenses}/assign/`, admin, { user_emails: [emailOf(1_000 + at)] });
        if (at % 4 === 1) return post(at, `${licenses}/bulk-revoke/`, admin, { user_emails: [emailOf(at % 40)] });
        const token = tokenFor('enterprise_learner', agreement.customer, 20_000 + at, { email: emailOf(2_000 + at) });
        return post(at, `customer-agreement/${agreement.uuid}/auto-apply/`, token);
      }),
    );
    expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
    const { stored, counted } = await countersOf(database, plan);
    expect(stored).toEqual(counted);
  });
});
