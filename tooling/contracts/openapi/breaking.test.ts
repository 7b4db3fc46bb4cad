import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { breaksBetween, placeOf } from './breaking.ts';
import { ACCEPTED, acceptedIn, compareWith } from './check.ts';
import { ROOT } from './redocly.ts';

const json = (schema: object, examples: object = {}) => ({ 'application/json': { schema, examples } });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** A small API; each case changes one thing in it. */
const base = () => ({
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  paths: {
    '/orders/{id}/': {
      get: {
        operationId: 'orders_get',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
          { name: 'sort', in: 'query', required: false, schema: { type: 'string', enum: ['new', 'old'] } },
          { name: 'size', in: 'query', required: false, schema: { type: 'integer', minimum: 1, maximum: 100 } },
        ] as { name: string; in: string; required: boolean; schema: Record<string, unknown> }[],
        responses: {
          '200': { description: 'Success.', content: json(ref('Order')) },
          '404': { description: 'Gone.', content: json({ type: 'object' }) },
        } as Record<string, unknown>,
      },
      post: {
        operationId: 'orders_pay',
        requestBody: { required: false, content: json(ref('Payment')) },
        responses: {
          '200': { description: 'Success.', content: json({ type: 'object' }) },
          '422': {
            description: 'Refused.',
            content: json(
              { anyOf: [ref('Refusal'), { type: 'object', properties: { no: { type: 'string' } }, required: ['no'] }] },
              { too_late: { value: {} }, too_poor: { value: {} } },
            ),
          },
        },
      },
    } as Record<string, Record<string, unknown>>,
  } as Record<string, unknown>,
  components: {
    schemas: {
      Payment: {
        type: 'object',
        properties: {
          cents: { type: 'integer', maximum: 1000 },
          note: { type: ['string', 'null'], maxLength: 100 },
          way: { type: 'string', enum: ['card', 'cash'] },
        },
        required: ['cents'],
      },
      Order: {
        type: 'object',
        properties: {
          uuid: { type: 'string' },
          cents: { type: 'integer' },
          state: { type: 'string', enum: ['open', 'paid'] },
          buyer: ref('Buyer'),
        },
        required: ['uuid', 'cents', 'state', 'buyer'],
      },
      Buyer: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
      Refusal: { type: 'object', properties: { code: { type: 'string' } }, required: ['code'] },
    } as Record<string, { properties: Record<string, Record<string, unknown>>; required: string[] }>,
  },
});

type Shop = ReturnType<typeof base>;
type Case = readonly [name: string, change: (shop: Shop) => unknown, expected: RegExp | null];

const schema = (shop: Shop, name: string) => shop.components.schemas[name] ?? { properties: {}, required: [] };
const field = (shop: Shop, name: string, of: string) => schema(shop, name).properties[of] ?? {};
// biome-ignore lint/suspicious/noExplicitAny: the cases reach deep into a literal.
const order = (shop: Shop) => shop.paths['/orders/{id}/'] as any;
const drop = (list: string[], value: string) => list.splice(list.indexOf(value), 1);

const cases: readonly Case[] = [
  ['nothing', () => undefined, null],
  ['an address is gone', (shop) => delete shop.paths['/orders/{id}/'], /^\/orders\/\{id\}: .*removed/],
  ['an operation is gone', (shop) => delete order(shop).post, /^POST \/orders\/\{id\}: .*removed/],
  ['an operation has another id', (shop) => Object.assign(order(shop).get, { operationId: 'x' }), /GET .*orders_get/],
  ['a parameter is gone', (shop) => order(shop).get.parameters.splice(1, 1), /GET .*sort.*removed/],
  ['a parameter is required', (shop) => Object.assign(order(shop).get.parameters[1], { required: true }), /sort.*requ/],
  ['a parameter loses a value', (shop) => order(shop).get.parameters[1].schema.enum.pop(), /lost values: 'old'/],
  ['a parameter gains a value', (shop) => order(shop).get.parameters[1].schema.enum.push('big'), null],
  ['a bound is tighter', (shop) => Object.assign(order(shop).get.parameters[2].schema, { maximum: 10 }), /<= 10/],
  ['a bound is wider', (shop) => Object.assign(order(shop).get.parameters[2].schema, { maximum: 500 }), null],
  [
    'a parameter says more',
    (shop) => {
      const { schema: bounds } = order(shop).get.parameters[2];
      Object.assign(order(shop).get.parameters[2], { description: 'How many of them.', example: 7 });
      Object.assign(bounds, { description: 'How many.' });
    },
    null,
  ],
  [
    'a field of a request is gone',
    (shop) => delete schema(shop, 'Payment').properties.note,
    /request: .*note.*removed/,
  ],
  ['a field of a request is required', (shop) => schema(shop, 'Payment').required.push('note'), /request: .*note/],
  ['a field of a request is new', (shop) => Object.assign(schema(shop, 'Payment').properties, { tip: {} }), null],
  [
    'a field may not be null',
    (shop) => Object.assign(field(shop, 'Payment', 'note'), { type: 'string' }),
    /note.*narr/,
  ],
  ['a text is shorter', (shop) => Object.assign(field(shop, 'Payment', 'note'), { maxLength: 5 }), /maxLength.*note/],
  ['a body is required', (shop) => Object.assign(order(shop).post.requestBody, { required: true }), /body.*required/],
  ['a status is gone', (shop) => delete order(shop).get.responses['404'], /reply 404: .*removed/],
  ['a status is new', (shop) => Object.assign(order(shop).get.responses, { '409': { description: '' } }), null],
  [
    'a field of a reply is gone',
    (shop) => {
      delete schema(shop, 'Order').properties.cents;
      drop(schema(shop, 'Order').required, 'cents');
    },
    /reply 200: .*cents/,
  ],
  ['a field of a reply may be missing', (shop) => drop(schema(shop, 'Order').required, 'cents'), /reply 200: .*cents/],
  ['a field of a reply is new', (shop) => Object.assign(schema(shop, 'Order').properties, { tax: {} }), null],
  [
    'a field of a reply may be null',
    (shop) => Object.assign(field(shop, 'Order', 'cents'), { type: ['integer', 'null'] }),
    /cents.*widened/,
  ],
  [
    'a part of a reply may be null',
    (shop) => Object.assign(schema(shop, 'Order').properties, { buyer: { anyOf: [ref('Buyer'), { type: 'null' }] } }),
    /reply 200: /,
  ],
  ['a reply has a new value', (shop) => (field(shop, 'Order', 'state').enum as string[]).push('lost'), /state.*gained/],
  ['a reply lacks a value', (shop) => (field(shop, 'Order', 'state').enum as string[]).pop(), null],
  [
    'a field inside is gone',
    (shop) => {
      delete schema(shop, 'Buyer').properties.name;
      drop(schema(shop, 'Buyer').required, 'name');
    },
    /reply 200: .*name/,
  ],
  [
    'a field in a union is renamed',
    (shop) => {
      const [, other] = order(shop).post.responses['422'].content['application/json'].schema.anyOf;
      Object.assign(other, { properties: { nope: { type: 'string' } }, required: ['nope'] });
    },
    /reply 422: .*`no`/,
  ],
  [
    'a failure is gone',
    (shop) => delete order(shop).post.responses['422'].content['application/json'].examples.too_poor,
    /reply 422: The failure `too_poor` is no longer declared/,
  ],
  [
    'a failure has another form',
    (shop) => order(shop).post.responses['422'].content['application/json'].schema.anyOf.push({ type: 'string' }),
    /reply 422: /,
  ],
  [
    'a schema has another name',
    (shop) => {
      const { Buyer, ...others } = shop.components.schemas;
      shop.components.schemas = { ...others, ...(Buyer ? { Person: Buyer } : {}) };
      schema(shop, 'Order').properties.buyer = ref('Person');
    },
    /(Buyer|Person): The schema is gone or renamed/,
  ],
  [
    'an address loses its final slash, which the server takes either way',
    (shop) => {
      shop.paths = { '/orders/{id}': order(shop) };
    },
    null,
  ],
  ['a sentence is better', (shop) => Object.assign(schema(shop, 'Order'), { description: 'Bought.' }), null],
];

test.each(cases)('%s', async (_name, change, expected) => {
  const revision = base();
  change(revision);
  const lines = (await breaksBetween(JSON.stringify(base()), JSON.stringify(revision))).join('\n');
  if (expected === null) expect(lines).toBe('');
  else expect(lines).toMatch(expected);
});

test('there is no breaking change that the page of breaking changes does not list', async ({ annotate }) => {
  const { base, unaccepted } = await compareWith();
  await annotate(`compared with ${base ?? 'nothing: there is no earlier commit'}`);
  expect(unaccepted, `keep what callers use, or accept the line in ${ACCEPTED}`).toEqual([]);
});

test('only list items are accepted, verbatim', () => {
  const page = '# Title\nGET /b: gone\n\n- GET /a: Field `x` was removed.\n- other\n';
  expect([...acceptedIn(page)]).toEqual(['GET /a: Field `x` was removed.', 'other']);
});

test('the committed document breaks nothing of itself', async () => {
  const text = await readFile(join(ROOT, 'openapi.json'), 'utf8');
  expect(await breaksBetween(text, text)).toEqual([]);
});

test.each([
  ['#/paths/~1a~1{id}/get/responses/200/content', 'GET /a/{id}, reply 200'],
  ['#/paths/~1a/post/requestBody/content', 'POST /a, request'],
  ['#/paths/~1a', '/a'],
  ['#/components/schemas/Order/properties', 'Order'],
])('%s is %s', (pointer, place) => expect(placeOf(pointer)).toBe(place));
