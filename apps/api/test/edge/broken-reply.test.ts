import { compose, slices } from '@enterprise-access/domain';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { defineContract } from '../../../../packages/domain/src/kernel/contract.ts';
import { newUuid, uuid } from '../../../../packages/domain/src/kernel/ids.ts';
import { definePermissions } from '../../../../packages/domain/src/kernel/permissions.ts';
import { procedure, router } from '../../../../packages/domain/src/kernel/rpc.ts';
import { defineSlice } from '../../../../packages/domain/src/kernel/slice.ts';
import { viaRest, viaTrpc, type World } from '../support/examples.ts';
import { demonstration, startApp, tokenFor } from '../support/harness.ts';

const permissions = definePermissions('counter', { can_count: ['counter'] });
const context = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const input = z.object({ enterpriseCustomerUuid: uuid() });
const output = z.object({ note: z.string().max(3), inner: z.array(z.object({ count: z.int() })) });
const declaration = { summary: 'Count.', permission: permissions.can_count, context, input, output, errors: [] };
const path = '/api/v1/counters/{enterpriseCustomerUuid}/';
const count = defineContract({ ...declaration, kind: 'mutation', rest: { method: 'POST', path } });
const look = defineContract({ ...declaration, kind: 'query', rest: { method: 'GET', path } });

let counted = 0;
const said = (note: unknown) => ({ note, secret: 'x', inner: [{ count: counted, secret: 'x' }] }) as never;
let note: unknown;
const counters = router({
  count: procedure(count).mutation(() => {
    counted += 1;
    return said(note);
  }),
  look: procedure(look).query(() => said(note)),
});
const slice = defineSlice({
  name: 'counters',
  namespaces: { counters: { tag: 'Counters.', router: counters, contracts: { count, look }, models: {} } },
  permissions: Object.values(permissions),
  roles: { system: { enterprise_admin: ['counter'] }, stored: {} },
});
const service = compose([...slices, slice]);
const operation = (id: string) => {
  const found = service.operations.find((one) => one.id === id);
  if (!found) throw new Error(`${id} is not in the catalogue.`);
  return found;
};

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const admin = tokenFor('enterprise_admin', demonstration.customer, 1_000);
const given = { enterpriseCustomerUuid: demonstration.customer };

describe.each(dialects)('a reply that breaks its contract, on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { service });
  });
  afterAll(() => world.stop());
  afterEach(() => vi.restoreAllMocks());

  const reply = async (through: 'REST' | 'tRPC', id: string, headers = {}) => {
    const call = through === 'REST' ? viaRest : viaTrpc;
    const heard = await call(world, operation(id), given, admin, headers);
    return { status: heard.status, said: 'body' in heard ? heard.body : heard.data };
  };

  test.each(['REST', 'tRPC'] as const)('of a mutation is logged and sent, and no failure: %s', async (through) => {
    note = 'longer than three';
    counted = 0;
    const error = vi.spyOn(world.runtime.log, 'error');
    const headers = { 'idempotency-key': newUuid() };
    const expected = { status: 200, said: { note, inner: [{ count: 1 }] } };
    expect(await reply(through, 'counters.count', headers)).toEqual(expected);
    expect(error).toHaveBeenCalledWith(
      expect.objectContaining({ operation: 'counters.count' }),
      'the reply of a committed mutation breaks its contract',
    );
    expect(await reply(through, 'counters.count', headers)).toEqual(expected);
    expect(counted).toBe(1);
  });

  test('of a mutation that cannot even be written is an empty object', async () => {
    note = undefined;
    expect(await reply('REST', 'counters.count')).toEqual({ status: 200, said: {} });
  });

  test.each(['REST', 'tRPC'] as const)('of a query is a failure: %s', async (through) => {
    note = 'longer than three';
    expect((await reply(through, 'counters.look')).status).toBe(500);
  });
});
