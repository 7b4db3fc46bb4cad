import { sdkFiles } from '@enterprise-access/contracts/sdk';
import { defineModel, is } from '@enterprise-access/db';
import { compose, defineSlice, slices } from '@enterprise-access/domain';
import { everybody } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { greet } from '../../../../packages/domain/test/greetings/contract.ts';
import { greetingsSlice } from '../../../../packages/domain/test/greetings/slice.ts';
import { testing } from '../../../../packages/domain/test/greetings/slice-testing.ts';
import { openApiDocument } from '../../src/openapi/document.ts';
import { sampleInput, viaRest, viaTrpc, type World } from '../support/examples.ts';
import { demonstration, startApp, tokenFor } from '../support/harness.ts';

// All that is written for a new slice is its folder; this line is the one in `slices.ts`.
const service = compose([...slices, greetingsSlice]);

describe('a slice of one folder and one line', () => {
  const operation = service.operations.find(({ id }) => id === 'greetings.greet');
  if (!operation) throw new Error('The operation is not in the catalogue.');
  const input = sampleInput(operation);
  let world: World;
  beforeAll(async () => {
    world = await startApp('postgres', { service });
  });
  afterAll(() => world.stop());

  const greeted = { text: 'Hello Demo Company' };
  const admin = tokenFor('enterprise_admin', demonstration.customer, 1_000);

  test('answers over REST and tRPC, with its settings', async () => {
    const rest = await viaRest(world, operation, input, admin);
    expect(rest).toMatchObject({ status: 200, body: { ...greeted, enterprise_customer_uuid: demonstration.customer } });
    const trpc = await viaTrpc(world, operation, input, admin);
    expect(trpc).toMatchObject({ status: 200, data: greeted });
  });

  test.each(everybody)('asks for its permission: %s', async (role) => {
    const allowed = testing.permissions?.[greet.permission.name]?.includes(role);
    for (const customer of [demonstration.customer, demonstration.otherCustomer]) {
      const reply = await viaRest(world, operation, input, tokenFor(role, customer, 1_000));
      expect(reply.status).toBe(allowed && customer === demonstration.customer ? 200 : 403);
    }
  });

  test('is in the OpenAPI document, with its tag', () => {
    const document = openApiDocument(service);
    expect(document.paths).toHaveProperty(['/api/v1/greetings/{enterprise_customer_uuid}', 'get', 'operationId']);
    expect(document.tags).toContainEqual({ name: 'greetings', description: 'Greetings of customers.' });
  });

  test('has a method, a model and a page in the SDK', () => {
    const { code, docs } = sdkFiles(service);
    expect(code.find(({ path }) => path === 'greetings.ts')?.text).toContain('greet(');
    expect(code.find(({ path }) => path === 'models.ts')?.text).toContain('export interface Greeting {');
    expect(docs.map(({ path }) => path)).toContain('greetings.md');
  });

  test('brings its job and the time of it', () => {
    expect(service.jobs.map(({ contract }) => contract.name)).toContain('greetings.greetEverybody');
    expect(service.schedules).toContainEqual({ job: 'greetings.greetEverybody', cron: '0 6 * * *' });
  });
});

test('a slice brings its tables, with their customer, their subject in the audit trail and what becomes of personal data', () => {
  const ends = { job: 'badges.retire' };
  const badges = defineModel('badges', {
    tenant: 'enterpriseCustomerUuid',
    audited: { subject: 'badge', address: 'email' },
    columns: {
      uuid: is.uuid(),
      enterpriseCustomerUuid: is.uuid(),
      email: is.text().personalData({ holds: 'Address.', ends }),
    },
  });
  const { tables, personalData } = compose([...slices, defineSlice({ name: 'badges', tables: [badges] })]);
  expect(tables.get('badges')?.tenant).toBe('enterprise_customer_uuid');
  expect(tables.get('badges')?.subject?.kind).toBe('badge');
  expect(personalData).toContainEqual({ table: 'badges', column: 'email', holds: 'Address.', ends });
});

describe('a slice that is declared wrongly is not served', () => {
  const [namespace] = Object.values(greetingsSlice.namespaces);
  test.each([
    ['a name that another slice has', greetingsSlice, 'Two slices declare the operation of greetings named greet.'],
    ['no tag', { ...greetingsSlice, namespaces: { hello: { ...namespace, tag: undefined } } }, 'One slice says'],
    [
      'a legacy form of no operation',
      { ...greetingsSlice, namespaces: { hello: { ...namespace, legacy: { wave: {} } } } },
      'hello.wave, which is no operation',
    ],
    [
      'a contract without a procedure',
      { ...greetingsSlice, namespaces: { hello: { ...namespace, contracts: { greet, wave: greet } } } },
      'There is a contract but no procedure named hello.wave.',
    ],
    [
      'a procedure without a contract',
      { ...greetingsSlice, namespaces: { hello: { ...namespace, contracts: {} } } },
      'There is a procedure but no contract named hello.greet.',
    ],
    [
      'a table that another slice has',
      { name: 'ledger2', tables: [...service.tables.values()].slice(-1) },
      'Two slices declare the table named',
    ],
    [
      'a consumer of an event that nobody declares',
      { name: 'moods', consumers: [{ type: 'org.openedx.mood.changed.v1', consume: async () => undefined }] },
      'No slice declares the event org.openedx.mood.changed.v1.',
    ],
    ['an undeclared permission', { ...greetingsSlice, permissions: [] }, 'No slice declares the permission'],
    [
      'an unknown kind of context',
      {
        ...greetingsSlice,
        namespaces: {
          hello: { ...namespace, contracts: { greet: { ...greet, context: { from: 'moon', field: 'uuid' } } } },
        },
      },
      'No slice declares the owner of a moon.',
    ],
  ])('%s', (_what, slice, message) => {
    const base = slice === greetingsSlice ? [...slices, greetingsSlice] : slices;
    expect(() => compose([...base, slice as unknown as typeof greetingsSlice])).toThrow(message);
  });
});
