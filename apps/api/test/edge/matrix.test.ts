import { createHmac, randomUUID } from 'node:crypto';
import { newUuid, operations, streams } from '@enterprise-access/domain';
import { everybody, slicesTesting } from '@enterprise-access/domain/testing';
import { makeToken } from '@enterprise-access/start/token';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Input, sampleInput, viaRest, viaStream, viaTrpc, type World } from '../support/examples.ts';
import {
  demonstration,
  dialects,
  learnerToken,
  operatorToken,
  run,
  SECRET,
  startApp,
  tokenFor,
} from '../support/harness.ts';

/** Written by hand beside each slice from the specifications; the code under test has its own. */
const allowedRoles: Readonly<Record<string, readonly string[]>> = Object.assign(
  {},
  ...slicesTesting.map(({ permissions }) => permissions),
);

/** The first version of the subsidy routes has error bodies of its own. */
const verbose = new Set(
  [
    'listSubsidies',
    'getSubsidy',
    'canRedeem',
    'aggregatesByLearner',
    'createSubsidy',
    'updateSubsidy',
    'deleteSubsidy',
  ].map((name) => `ledger.${name}`),
);
const refusalBody = (id: string, phrase: string, message: string) =>
  verbose.has(id) ? { error_code: phrase, developer_message: message, user_message: message } : { detail: message };

const LEARNER = 1000;
const contexts = ['own customer', 'other customer', '*', 'no colon'] as const;

const roles = [...everybody, 'enterprise_provisioning_admin'];

/** Contexts of a role that allow the operation on what belongs to the demonstration customer. */
function contextsOf({ contract: { context } }: (typeof operations)[number]): readonly string[] {
  if (context.from === 'platform') return ['*'];
  if (context.from === 'anywhere') return contexts;
  return context.isListing ? ['own customer', 'other customer', '*'] : ['own customer', '*'];
}

function tokenOf(role: string, context: (typeof contexts)[number]): string {
  if (context === 'own customer') return tokenFor(role, demonstration.customer, LEARNER);
  if (context === 'other customer') return tokenFor(role, demonstration.otherCustomer, LEARNER);
  if (context === '*') return tokenFor(role, '*', LEARNER);
  const [head, body = ''] = makeToken({ roles: [role], enterprise: '', userId: LEARNER, secret: SECRET }).split('.');
  const claims = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), roles: [role] };
  const unsigned = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`;
}

test('every permission has its row in the table of this test', () => {
  const missing = [...operations, ...streams]
    .filter(({ contract }) => contract.permission.open === undefined)
    .map(({ contract }) => contract.permission.name)
    .filter((permission) => !allowedRoles[permission]);
  expect(missing).toEqual([]);
});

/** A subsidy that a test may delete. */
async function newSubsidy(world: World): Promise<string> {
  const made = await world.call('POST', '/api/v1/subsidies/', operatorToken(), {
    reference_id: randomUUID(),
    default_title: 'To be deleted',
    default_enterprise_customer_uuid: demonstration.customer,
    default_internal_only: true,
    default_active_datetime: '2026-01-01T00:00:00Z',
    default_expiration_datetime: '2027-01-01T00:00:00Z',
    default_unit: 'usd_cents',
    default_starting_balance: 0,
    default_revenue_category: 'bulk-enrollment-prepay',
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.uuid;
}

describe.each(dialects)('the authorization matrix on %s', (dialect) => {
  let world: World;
  /** Things of the demonstration customer, by what contracts call them. */
  const things: Record<string, string> = {};
  beforeAll(async () => {
    world = await startApp(dialect);
    const path = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
    const made = await world.call('POST', path, learnerToken(LEARNER), { lms_user_id: LEARNER, content_key: run });
    expect(made.status).toBe(200);
    things.transaction = made.body.uuid;
    things.decision = (
      await world.db('redemption_decisions').where({ redemption_uuid: made.body.uuid }).first('uuid')
    ).uuid;
    things.auditSubject = made.body.uuid;
    things.job = newUuid();
    await world.db('job_runs').insert({
      uuid: things.job,
      name: 'test.long',
      enterprise_customer_uuid: demonstration.customer,
      // Ended, so that who may follow it is told so and the stream ends.
      state: 'completed',
      created: new Date(),
      modified: new Date(),
    });
    things.workflow = newUuid();
    await world.db('workflows').insert({
      uuid: things.workflow,
      enterprise_customer_uuid: demonstration.customer,
      kind: 'test.workflow',
      version: 1,
      idempotency_key: things.workflow,
      status: 'succeeded',
      input: JSON.stringify({ json: {} }),
      position: 0,
      correlation_id: things.workflow,
      created: new Date(),
      modified: new Date(),
      finished: new Date(),
    });
    const change = await world.db('audit_changes').where({ subject_uuid: made.body.uuid }).first('entry_uuid');
    things.auditEntry = change.entry_uuid;
    const admin = tokenFor('enterprise_admin', demonstration.customer, LEARNER);
    const written = await world.call('POST', '/api/v1/audit/exports/', admin, {
      enterprise_customer_uuid: demonstration.customer,
    });
    things.auditExport = written.body.uuid;
  });
  afterAll(() => world.stop());

  const inputFor = async (operation: (typeof operations)[number]): Promise<Input> => {
    const { from, field } = operation.contract.context;
    if (operation.id === 'ledger.deleteSubsidy') return { [field]: await newSubsidy(world) };
    return sampleInput(operation, from in things ? { [field]: things[from] } : {});
  };

  describe.each(operations.map((operation) => [operation.id, operation] as const))('%s', (id, operation) => {
    const {
      denial,
      context: { isListing = false },
    } = operation.contract;
    const permission = operation.contract.permission.name;

    const { open } = operation.contract.permission;
    test('R-RBAC-08, R-RBAC-09: refuses anonymous callers with 401 over both transports, unless it is public', async () => {
      const input = await inputFor(operation);
      if (open === 'anyone') {
        expect((await viaRest(world, operation, input, null)).status).not.toBe(401);
        expect((await viaTrpc(world, operation, input, null)).status).not.toBe(401);
        return;
      }
      const rest = await viaRest(world, operation, input, null);
      const body = refusalBody(id, 'Unauthorized', 'Authentication credentials were not provided.');
      expect({ status: rest.status, body: rest.body }).toEqual({ status: 401, body });
      expect(rest.headers['www-authenticate']).toBe('JWT realm="api"');
      expect(await viaTrpc(world, operation, input, null)).toMatchObject({
        status: 401,
        error: { data: { domain: { code: 'not_authenticated' } } },
      });
    });

    test.each(roles.flatMap((role) => contexts.map((context) => ({ role, context }))))(
      '$role, $context',
      async ({ role, context }) => {
        const isAllowed =
          open !== undefined || (allowedRoles[permission]?.includes(role) && contextsOf(operation).includes(context));
        const token = tokenOf(role, context);
        const rest = await viaRest(world, operation, await inputFor(operation), token);
        const trpc = await viaTrpc(world, operation, await inputFor(operation), token);
        if (isAllowed) {
          expect([401, 403], JSON.stringify(rest.body)).not.toContain(rest.status);
          expect([401, 403]).not.toContain(trpc.status);
          expect(Math.max(rest.status, trpc.status)).toBeLessThan(500);
          // A list shows callers of another customer nothing of this one.
          if (isListing && context === 'other customer')
            for (const customer of [demonstration.customer, things.transaction])
              expect(JSON.stringify([rest.body, trpc.data])).not.toContain(`"${customer}"`);
        } else {
          const message =
            isListing || denial === 'plain'
              ? 'You do not have permission to perform this action.'
              : `${denial ?? 'MISSING'}: ${permission}`;
          const body = refusalBody(id, 'Forbidden', message);
          expect({ status: rest.status, body: rest.body }).toEqual({ status: 403, body });
          expect(trpc).toMatchObject({
            status: 403,
            error: { message, data: { domain: { code: 'permission_denied', details: { permission } } } },
          });
        }
      },
    );
  });

  describe.each(streams.map((operation) => [operation.id, operation] as const))('%s', (_id, operation) => {
    const permission = operation.contract.permission.name;
    const input = () => {
      const { from, field } = operation.contract.context;
      return sampleInput(operation, from in things ? { [field]: things[from] } : {});
    };

    test('refuses anonymous callers', async () => {
      expect(await viaStream(world, operation, input(), null)).toMatchObject({
        status: 401,
        error: { data: { domain: { code: 'not_authenticated' }, code: 'UNAUTHORIZED' } },
      });
    });

    test.each(everybody.flatMap((role) => contexts.map((context) => ({ role, context }))))(
      '$role, $context',
      async ({ role, context }) => {
        const isAllowed = allowedRoles[permission]?.includes(role) && (context === 'own customer' || context === '*');
        const reply = await viaStream(world, operation, input(), tokenOf(role, context));
        if (isAllowed) expect(reply).toEqual({ status: 200, error: undefined });
        else
          expect(reply).toMatchObject({
            status: 403,
            error: { data: { domain: { code: 'permission_denied', details: { permission } } } },
          });
      },
    );
  });

  test('a missing resource is 403 for callers without access to all customers', async () => {
    const unknown = '00000000-0000-4000-8000-000000000000';
    const operation = operations.find(({ id }) => id === 'policies.get');
    if (!operation) throw new Error('policies.get is gone');
    const admin = tokenFor('enterprise_admin', demonstration.customer, LEARNER);
    expect((await viaRest(world, operation, { uuid: unknown }, admin)).status).toBe(403);
    expect((await viaRest(world, operation, { uuid: unknown }, operatorToken())).status).toBe(404);
  });
});
