import { type Operation, operations, wireCodec } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Input, sampleInput, viaRest, viaTrpc, type World } from '../support/examples.ts';
import { demonstration, dialects, learnerToken, operatorToken, run, startApp } from '../support/harness.ts';

const LEARNER = 1000;
const TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/;
const named = (id: string): Operation => {
  const found = operations.find((operation) => operation.id === id);
  if (!found) throw new Error(`There is no operation ${id}.`);
  return found;
};
const url = new URL('http://access.test/');
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const identifiersOf = (value: unknown): string[] =>
  [
    ...new Set(
      JSON.stringify(value).match(/"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"|\b\d{3,}\b/g),
    ),
  ].sort();

describe.each(dialects)('both transports give the same information on %s', (dialect) => {
  let world: World;
  let transaction: string;
  let decision: string;
  beforeAll(async () => {
    world = await startApp(dialect);
    const path = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
    transaction = (await world.call('POST', path, learnerToken(LEARNER), { lms_user_id: LEARNER, content_key: run }))
      .body.uuid;
    decision = (await world.db('redemption_decisions').where({ redemption_uuid: transaction }).first('uuid')).uuid;
  });
  afterAll(() => world.stop());

  const changes: Readonly<Record<string, Input>> = {
    'policies.deactivate': { uuid: demonstration.assignedPolicy, reason: 'a test' },
    'policies.update': { displayName: 'New name' },
  };
  // Allocations have a test of their own: a second one of the same learner has another outcome.
  const allocating = /^policies\.(allocate|bulkReport|resumeBulk)/;
  const covered = operations.filter(
    ({ id, domain }) => (domain === 'policies' || domain === 'redemptions') && !allocating.test(id),
  );

  test.each(covered.map((operation) => [operation.id, operation] as const))('%s', async (id, operation) => {
    const { contract, legacy } = operation;
    const { from, field } = contract.context;
    const named = { transaction, decision }[from];
    const change = named === undefined ? changes[id] : { [field]: named };
    const input = sampleInput(operation, change);
    const token = operatorToken();
    // The same key at the other transport is the same request: it answers with the first reply.
    const headers = id === 'policies.deposit' || id === 'policies.create' ? { 'idempotency-key': `key of ${id}` } : {};
    const rest = await viaRest(world, operation, input, token, headers);
    const trpc = await viaTrpc(world, operation, input, token, headers);
    expect(rest.status, JSON.stringify(rest.body)).toBeLessThan(300);
    expect(trpc.status, JSON.stringify(trpc.error)).toBe(200);
    const settings = world.runtime.settings;
    const encoded = legacy.reply
      ? legacy.reply.encode(trpc.data as never, { url: new URL(contract.rest.path, url), settings })
      : wireCodec(contract.output).encode(trpc.data);
    const strip = (value: unknown) =>
      JSON.parse(
        JSON.stringify(value, (key, item) => {
          if (key === 'next' || key === 'previous') return null;
          // REST has microseconds and leaves out zeros; tRPC has dates.
          return typeof item === 'string' && TIME.test(item) ? new Date(item).toISOString() : item;
        }),
      );
    expect(strip(rest.body)).toEqual(strip(encoded));
    if (id !== 'policies.create' && id !== 'policies.list') {
      expect(identifiersOf(rest.body)).toEqual(
        expect.arrayContaining(identifiersOf(plain(trpc.data)).filter((text) => text.startsWith('"'))),
      );
    }
  });

  test('a deposit through tRPC adds as much as one through REST', async () => {
    const operation = named('policies.deposit');
    const limit = async () =>
      Number(
        (await world.db('policies').where({ uuid: demonstration.spendPolicy }).first('spend_limit_cents'))
          .spend_limit_cents,
      );
    const before = await limit();
    expect((await viaRest(world, operation, sampleInput(operation), operatorToken())).status).toBe(200);
    expect(await limit()).toBe(before + 100);
    expect((await viaTrpc(world, operation, sampleInput(operation), operatorToken())).status).toBe(200);
    expect(await limit()).toBe(before + 200);
  });

  test('a refusal names the same fields over both transports', async () => {
    const operation = named('policies.create');
    const rest = await viaRest(world, operation, sampleInput(operation, { policyType: 'none' }), operatorToken());
    const trpc = await viaTrpc(world, operation, sampleInput(operation, { policyType: 'none' }), operatorToken());
    expect([rest.status, trpc.status]).toEqual([400, 400]);
    expect(trpc.error?.data.domain).toEqual({ code: 'invalid_input', details: { fields: rest.body } });
  });

  test('a token that is not valid is an error that tRPC clients can read', async () => {
    const operation = named('policies.get');
    const reply = await viaTrpc(world, operation, sampleInput(operation), 'no.valid.token');
    expect(reply).toMatchObject({
      status: 401,
      error: { message: 'Invalid token.', data: { domain: { code: 'invalid_token' } } },
    });
  });
});
