import { auditBooks, DEFAULT_BODY_LIMIT_BYTES, type Operation, operations, snakeCase } from '@enterprise-access/domain';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type InputSchema, recordOf, strange } from '../../../../tooling/fuzz/inputs.ts';
import { openApiDocument } from '../../src/openapi/document.ts';
import { judge } from '../support/conformance.ts';
import {
  examples,
  type Input,
  methodsOf,
  nameOfWire,
  pathNames,
  requiredOf,
  restRequest,
  rowCounts,
  sampleInput,
  type World,
} from '../support/examples.ts';
import {
  anyRoleToken,
  demonstration,
  dialects,
  learnerToken,
  operatorToken,
  run,
  startApp,
} from '../support/harness.ts';

const send = async (world: World, method: string, url: string, payload?: string, type = 'application/json') => {
  const reply = await world.app.inject({
    method: method as 'POST',
    url,
    headers: { authorization: `JWT ${anyRoleToken()}`, ...(payload === undefined ? {} : { 'content-type': type }) },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: reply.statusCode, body: reply.body, allow: reply.headers.allow };
};

/** A refusal of the whole body, in the form of the operation. */
function refusalOf({ legacy }: Operation, message: string): string {
  const fields = { non_field_errors: [message] };
  const form = legacy.errors?.invalid_input;
  return JSON.stringify(form ? form.encode({ fields } as never, '') : fields);
}

/** Whether any object is a value of the field. */
const isFreeForm = ({ contract }: Operation, name: string): boolean =>
  contract.input.shape[name]?.def.type === 'record';

const EVIL_BODIES = ['{"a":', '{]', '\u0000'];
const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;

describe.each(dialects)('bad input on %s', (dialect) => {
  let world: World;
  let before: Record<string, number>;
  let transactionUuid: string;
  const sampleOf = (operation: Operation, change: Input = {}) =>
    sampleInput(operation, {
      ...(operation.contract.context.field === 'transactionUuid' ? { transactionUuid } : {}),
      ...change,
    });
  beforeAll(async () => {
    world = await startApp(dialect);
    // One operation is for this account only.
    Object.assign(world.runtime.settings, { retirementWorkerUsername: 'user-7' });
    await world.call('GET', '/api/v1/policy-redemption/credits_available/', operatorToken());
    // What does not exist is said before anything about the body, so the transaction to reverse is there.
    const redeem = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
    const body = { lms_user_id: 1000, content_key: run };
    transactionUuid = (await world.call('POST', redeem, operatorToken(), body)).body.uuid;
  });
  beforeEach(async () => {
    before = await rowCounts(world);
  });
  afterAll(() => world.stop());

  describe.each(operations.map((operation) => [operation.id, operation] as const))('%s', (_id, operation) => {
    const sample = () => restRequest(operation, sampleOf(operation));
    const [method = 'GET'] = methodsOf(operation);
    const unwritten = async () => expect(await rowCounts(world)).toEqual(before);

    test('answers other methods with 405 and the ones there are', async () => {
      const { url } = sample();
      const same = operations.filter(
        ({ contract: { rest } }) => rest.path.replace(/\/$/, '') === operation.contract.rest.path.replace(/\/$/, ''),
      );
      const there = same.flatMap(methodsOf);
      for (const other of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((each) => !there.includes(each as 'GET'))) {
        const reply = await send(world, other, url.split('?')[0] ?? url);
        expect(reply).toMatchObject({
          status: 405,
          body: JSON.stringify({ detail: `Method "${other}" not allowed.` }),
        });
        expect(String(reply.allow).split(', ').sort()).toEqual([...new Set(there)].sort());
      }
      await unwritten();
    });

    test('names every required field that is missing', async () => {
      const inPath = pathNames(operation);
      for (const name of requiredOf(operation).filter((each) => !inPath.includes(each))) {
        const { [name]: _dropped, ...rest } = sampleOf(operation);
        const { url, body } = restRequest(operation, rest);
        const reply = await send(world, method, url, body && JSON.stringify(body));
        expect(reply.status, `${name}: ${reply.body}`).toBe(400);
        // Some old services wrap the fields, or name the field in a sentence.
        const named = JSON.parse(reply.body);
        const fields = named.error ?? named;
        const isByField = typeof fields === 'object' && !Array.isArray(fields) && !('detail' in fields);
        expect(isByField ? Object.keys(fields) : reply.body).toContain(snakeCase(name));
      }
      await unwritten();
    });

    test('refuses values of the wrong type, bad uuids and keys', async () => {
      const isText = (name: string) => /Uuid$|^uuid$|Key$/.test(name);
      for (const name of Object.keys(sampleOf(operation)).filter(
        (each) => isText(each) && each !== 'contentKey' && each !== 'courseKey',
      )) {
        for (const bad of ['nonsense', '%', '12', '1'.repeat(36), `${demonstration.customer}x`, 'ä'.repeat(36)]) {
          const { url, body } = restRequest(operation, sampleOf(operation, { [name]: bad }));
          const isUnknown = operation.legacy.isMalformedPathUnknown && pathNames(operation).includes(name);
          const { status } = await send(world, method, url, body && JSON.stringify(body));
          expect(status, `${name}=${bad}`).toBe(isUnknown ? 404 : 400);
        }
      }
      if (method === 'GET') return unwritten();
      const inPath = pathNames(operation);
      for (const name of Object.keys(sampleOf(operation)).filter((each) => !inPath.includes(each))) {
        for (const bad of isFreeForm(operation, name)
          ? [[[]], 'text', 12]
          : [{}, [[]], { $ne: 1 }, { toString: null }]) {
          const { url, body } = restRequest(operation, sampleOf(operation, { [name]: bad }));
          expect((await send(world, method, url, JSON.stringify(body))).status, `${name}=${JSON.stringify(bad)}`).toBe(
            400,
          );
        }
      }
      return unwritten();
    });

    test('refuses text that no database keeps, and bodies nested beyond reason', async () => {
      const { url, body } = sample();
      const statuses: number[] = [];
      for (const text of ['a\u0000b', '\ud800']) {
        for (const name of ['description', 'display_name', 'reason', 'metadata', 'user_query']) {
          const value = name === 'metadata' ? { key: text } : text;
          if (!snakeToShape(operation, name)) continue;
          const asked = body
            ? url
            : `${url}${url.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(text.toWellFormed())}`;
          const reply = await send(world, method, asked, body && JSON.stringify({ ...body, [name]: value }));
          if (body) expect(reply.status, `${name}: ${reply.body}`).toBe(400);
          statuses.push(reply.status);
        }
      }
      if (snakeToShape(operation, 'metadata')) {
        const nested = JSON.stringify({ ...body, metadata: 0 }).replace('"metadata":0', `"metadata":${deep}`);
        expect((await send(world, method, url, nested)).status).toBe(400);
      }
      for (const status of statuses) expect(status).toBeLessThan(500);
      await unwritten();
    });

    if (method === 'GET') return;

    test('refuses bodies that are not JSON objects', async () => {
      const { url } = sample();
      for (const body of EVIL_BODIES) expect((await send(world, method, url, body)).status, body).toBe(400);
      const types = { '[]': 'list', '[{}]': 'list', '"text"': 'str', '12': 'int', '1.5': 'float', true: 'bool' };
      for (const [body, type] of Object.entries(types)) {
        expect(await send(world, method, url, body), body).toMatchObject({
          status: 400,
          body: refusalOf(operation, `Invalid data. Expected a dictionary, but got ${type}.`),
        });
      }
      if (pathNames(operation).length < Object.keys(operation.contract.input.shape).length) {
        expect(await send(world, method, url, 'null')).toMatchObject({
          status: 400,
          body: refusalOf(operation, 'No data provided'),
        });
      }
      await unwritten();
    });

    test('refuses bodies of another type or beyond the limit', async () => {
      const { url } = sample();
      for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
        expect((await send(world, method, url, 'a=1', type)).status, type).toBe(
          operation.legacy.unreadable ? 400 : 415,
        );
      }
      const limit = operation.contract.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES;
      expect((await send(world, method, url, JSON.stringify({ a: 'x'.repeat(limit) }))).status).toBe(413);
      await unwritten();
    });
  });

  test('takes a body that is not there for one without fields, although the header names a type', async () => {
    const unknown = '/api/v1/subsidy-access-policies/00000000-0000-4000-8000-000000000000/';
    expect((await send(world, 'DELETE', unknown, '')).status).toBe(404);
    const redeem = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
    const missing = ['This field is required.'];
    expect(await send(world, 'POST', redeem, '')).toMatchObject({
      status: 400,
      body: JSON.stringify({ lms_user_id: missing, content_key: missing }),
    });
  });

  test('refuses bad addresses', async () => {
    expect((await send(world, 'GET', '/api/v1/subsidy-access-policies/%zz/')).status).toBe(400);
    expect((await send(world, 'GET', `/api/v1/subsidy-access-policies/${'a'.repeat(4_000)}/`)).status).toBe(400);
  });

  test('the tRPC transport answers nonsense with 4xx', async () => {
    const bodies = [
      '{',
      '[]',
      '12',
      '{"json":12}',
      '{"json":{},"meta":{"values":{"__proto__.x":["Date"]}}}',
      '{"json":{"a":1},"meta":{"values":{"a":["class","x"]}}}',
      `{"json":${deep}}`,
    ];
    for (const { id, contract } of operations) {
      // Texts of it cannot be made.
      const unsayable = Object.fromEntries(Object.keys(contract.input.shape).map((name) => [name, { toString: null }]));
      // Without fields any object is a valid input.
      const isEmpty = Object.keys(contract.input.shape).length === 0;
      for (const body of [...bodies, ...(isEmpty ? [] : [JSON.stringify({ json: unsayable })])]) {
        const isQuery = contract.kind === 'query';
        if (isQuery && body.length > 1_000) continue;
        const reply = isQuery
          ? await send(world, 'GET', `/trpc/${id}?input=${encodeURIComponent(body)}`)
          : await send(world, 'POST', `/trpc/${id}`, body);
        expect(reply.status, `${id} ${body.slice(0, 80)} ${reply.body.slice(0, 300)}`).toBeGreaterThanOrEqual(400);
        expect(reply.status, `${id} ${body.slice(0, 80)} ${reply.body.slice(0, 300)}`).toBeLessThan(500);
      }
    }
    expect(await rowCounts(world)).toEqual(before);
  });

  /** A redemption whose metadata superjson reads by `meta`, under an Idempotency-Key, for which all of it is looked at. */
  const redeemWith = async (fields: Record<string, unknown>, meta: unknown) => {
    const json = {
      policyUuid: demonstration.spendPolicy,
      lmsUserId: 1_001,
      contentKey: 'course-v1:edX+Unknown+1',
      ...fields,
    };
    return world.app.inject({
      method: 'POST',
      url: '/trpc/redemptions.redeem',
      headers: { authorization: `JWT ${anyRoleToken()}`, 'idempotency-key': crypto.randomUUID() },
      payload: { json, meta },
    });
  };

  test.each([
    ['a long array in few bytes', 5_000_000, [['typed-array', 'Float64Array']]],
    ['a number that JSON does not write', '12', ['bigint']],
    ['a set', ['\u0000'], ['set']],
    ['a map', [['a', '\u0000']], ['map']],
  ])('the tRPC transport does not build %s', async (_what, value, note) => {
    for (const field of ['metadata', 'unknown']) {
      const reply = await redeemWith({ [field]: { a: value } }, { values: { [`${field}.a`]: note } });
      expect(reply.statusCode, reply.body).toBe(400);
    }
  });

  test('the tRPC transport does not build values that hold each other', async () => {
    let metadata: Record<string, unknown> = {};
    const same: [string, string[]][] = [];
    for (let depth = 0; depth < 40; depth += 1) {
      metadata = { x: metadata, y: null };
      same.unshift([`metadata${'.x'.repeat(40 - depth)}`, [`metadata${'.x'.repeat(39 - depth)}.y`]]);
    }
    // Two to the power of forty objects, if anybody walked through them.
    const reply = await redeemWith({ metadata }, { referentialEqualities: Object.fromEntries(same.reverse()) });
    expect(reply.statusCode, reply.body).toBe(422);
  });

  test('the tRPC transport rejects form bodies', async () => {
    for (const type of ['multipart/form-data; boundary=x', 'Multipart/Form-Data; boundary=x']) {
      const reply = await send(world, 'POST', '/trpc/redemptions.redeem', '--x--', type);
      expect(reply.status, reply.body).toBe(415);
    }
  });
});

const snakeToShape = ({ contract }: Operation, name: string): boolean => nameOfWire(name) in contract.input.shape;

interface Documented {
  operationId: string;
  parameters: ({ name: string; in: string; schema: InputSchema } | { $ref: string })[];
  requestBody?: { content: { 'application/json': { schema: InputSchema } } };
  responses: Record<string, unknown>;
}

const REQUESTS = 6_000;
const SEED = 20_261_124;
const keys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '\u0000', ''];

const document = openApiDocument() as {
  paths: Record<string, Record<string, Documented>>;
  components: { schemas: Record<string, InputSchema> };
};
/** The schema with everything that it refers to in its place. */
const inlined = (schema: InputSchema): InputSchema =>
  JSON.parse(JSON.stringify(schema), (_name, value) => {
    const name: unknown = value?.$ref?.split?.('/').at(-1);
    return typeof name === 'string' ? inlined(document.components.schemas[name] ?? {}) : value;
  });
const hint = (name: string): unknown => examples[nameOfWire(name)];

const textOf = (value: unknown): string =>
  (typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value)).toWellFormed();

test('whatever is sent, the status is below 500 and one that the document lists', {
  timeout: 120_000,
}, async (context) => {
  const world = await startApp('postgres', { poolSize: 20 });
  // Without a secret every learner with a licence is told 503.
  Object.assign(world.runtime.settings, { subsidyChecksumSecret: 'secret' });
  try {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
    const tokens = [operatorToken(), operatorToken(), operatorToken(), learnerToken(1000), null];
    const perOperation = Math.ceil(REQUESTS / described.length);
    let sent = 0;
    const statuses: Record<string, number> = {};
    const results = await Promise.allSettled(
      described.map(({ path, method, operation }) => {
        const of = (place: string) =>
          recordOf(
            Object.fromEntries(
              operation.parameters.flatMap((each) =>
                'in' in each && each.in === place ? [[each.name, inlined(each.schema)]] : [],
              ),
            ),
            hint,
          );
        const { properties = {} } = inlined(operation.requestBody?.content['application/json'].schema ?? {});
        const body = recordOf(properties, hint);
        const request = fc.record({
          inPath: of('path'),
          query: of('query'),
          body: operation.requestBody
            ? fc.oneof({ weight: 20, arbitrary: body as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: strange })
            : fc.constant(undefined),
          more: fc.option(fc.tuple(fc.oneof(fc.constantFrom(...keys), fc.string()), strange), { freq: 6 }),
          key: fc.option(fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme-ascii' }), { freq: 5 }),
          token: fc.constantFrom(...tokens),
        });
        const property = fc.asyncProperty(request, async (given) => {
          sent += 1;
          const url = path.replace(
            /\{(\w+)\}/g,
            (_all, name: string) => encodeURIComponent(textOf(given.inPath[name])) || '-',
          );
          const query = new URLSearchParams();
          const pairs = Object.entries(given.query).filter(([, value]) => value !== undefined);
          for (const [name, value] of pairs)
            for (const each of Array.isArray(value) ? value : [value]) query.append(name, textOf(each));
          if (given.more && method === 'GET') query.append(given.more[0].toWellFormed(), textOf(given.more[1]));
          let payload = given.body === undefined ? undefined : JSON.stringify(given.body);
          if (given.more && payload?.startsWith('{') && payload.length > 2) {
            payload = `{${JSON.stringify(given.more[0])}:${JSON.stringify(given.more[1])},${payload.slice(1)}`;
          }
          const reply = await world.app.inject({
            method: method as 'POST',
            url: query.size > 0 ? `${url}?${query}` : url,
            headers: {
              ...(given.token === null ? {} : { authorization: `JWT ${given.token}` }),
              ...(given.key === null ? {} : { 'idempotency-key': given.key }),
              ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
            },
            ...(payload === undefined ? {} : { payload }),
          });
          judge({ method, url }, reply);
          const status = String(reply.statusCode);
          statuses[status] = (statuses[status] ?? 0) + 1;
          expect(reply.statusCode, `${method} ${url}?${query} ${payload} -> ${reply.body}`).toBeLessThan(500);
          expect([...Object.keys(operation.responses), '405'], `${method} ${url} -> ${reply.body}`).toContain(status);
        });
        return fc.assert(property, { seed: SEED, numRuns: perOperation, endOnFailure: true });
      }),
    );
    const failed = results.flatMap((result) =>
      result.status === 'rejected'
        ? [`${String(result.reason.cause?.message).slice(0, 700)}\n${String(result.reason).slice(0, 700)}`]
        : [],
    );
    expect(failed.join('\n\n')).toBe('');
    await context.annotate(`${sent} requests: ${JSON.stringify(statuses)}`);
    expect(sent).toBeGreaterThanOrEqual(5_000);
    // Successes must be among them: otherwise only the outermost checks were tried.
    const successes = Object.entries(statuses).filter(([status]) => status.startsWith('2'));
    expect(successes.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(100);
    const again = await world.call(
      'GET',
      `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-request/?content_key=${encodeURIComponent(run)}`,
      learnerToken(1001),
    );
    expect(again.status).toBe(200);
  } finally {
    await world.stop();
  }
});

test('a deposit may raise the spend limit beyond 32 bits: ledger and limit move together', async () => {
  const world = await startApp('postgres');
  try {
    const limit = async () =>
      (await world.db('policies').where({ uuid: demonstration.spendPolicy }).first()).spend_limit_cents;
    const before = await limit();
    const body = { quantity_cents: 2_147_483_647, sales_contract_reference_id: '00kDEMO0000000009A' };
    const path = `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/deposit/`;
    const reply = await world.call('POST', path, operatorToken(), body);
    expect(reply.status).toBe(200);
    expect(await limit()).toBe(before + 2_147_483_647);
    expect(await auditBooks(world.db)).toEqual([]);
  } finally {
    await world.stop();
  }
});
