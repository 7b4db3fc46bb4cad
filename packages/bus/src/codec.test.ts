import { expect, test } from 'vitest';
import { eventTypes } from '../test/event-types.ts';
import { ledgerTransaction, PING, ping, REVERSED, reversed } from '../test/events.ts';
import type { OutgoingEvent } from './bus.ts';
import { avroCodec, encodeEvent, sendable } from './codec.ts';
import type { SchemaRegistry } from './registry.ts';

/** Gives the ids of the worked examples and remembers what was asked. */
function registryOf(ids: { key?: number; value: number }) {
  const asked: [string, string][] = [];
  const registry: SchemaRegistry = {
    async register(subject, schema) {
      asked.push([subject, schema]);
      return subject.endsWith('-string') ? (ids.key ?? 1) : ids.value;
    },
    schema: async () => JSON.parse(asked.find(([subject]) => !subject.endsWith('-string'))?.[1] ?? ''),
    close: async () => undefined,
  };
  return { registry, asked };
}

const definitionOf = (type: string) => {
  const definition = eventTypes.get(type);
  if (!definition) throw new Error(type);
  return definition;
};

const encode = (registry: SchemaRegistry, topic: string, event: OutgoingEvent) =>
  encodeEvent(registry, topic, definitionOf(event.type), event);

test('subjects and schema texts of a ledger event (worked example 1)', async () => {
  const { registry, asked } = registryOf({ value: 1 });
  await encode(registry, 'dev-enterprise-subsidies-transaction-lifecycle', reversed());
  expect(asked.map(([subject]) => subject)).toEqual([
    'dev-enterprise-subsidies-transaction-lifecycle-org.openedx.enterprise.subsidy_ledger_transaction.reversed.v1.CloudEvent',
    'dev-enterprise-subsidies-transaction-lifecycle-string',
  ]);
  expect(asked[1]?.[1]).toBe('{"name": "uuid", "type": "string"}');
  expect(asked[0]?.[1]).toMatch(
    /^\{"doc": "Avro Event Format for CloudEvents created with openedx_events\/schema", "fields": \[\{"name": "ledger_transaction", "type": \{"fields": \[\{"name": "uuid", "type": "string"\}, /u,
  );
  expect(asked[0]?.[1]).toContain('{"default": null, "name": "parent_content_key", "type": ["null", "string"]}');
});

test('key of a ledger event (worked example 2)', async () => {
  const { registry } = registryOf({ key: 7, value: 1 });
  const { key } = await encode(registry, 't', reversed());
  expect(key.toString('hex')).toBe(
    '000000000748' + '38613166326333642d346535662d346136622d386337642d396530663161326233633464',
  );
});

test('value of a ping (worked example 3)', async () => {
  const { registry } = registryOf({ value: 42 });
  const event = { ...ping('hello', 'p1') };
  const { value } = await encode(registry, 't', event);
  expect(value.toString('hex')).toBe('000000002a0470310a68656c6c6f');
});

test('value of a deleted group (worked example 4)', () => {
  const { avro } = definitionOf('org.openedx.enterprise.enterprise_group.deleted.v1');
  expect(avro.encode({ enterprise_group: { uuid: 'd509a63b-eb11-4dc8-8b84-4688c7335110' } }).toString('hex')).toBe(
    '4864353039613633622d656231312d346463382d386238342d343638386337333335313130',
  );
});

test('an event of our own: subject by topic, key as plain text', async () => {
  const { registry, asked } = registryOf({ value: 3 });
  const event = {
    ...ping('', 'customer-1'),
    type: 'org.openedx.enterprise.access.subsidy.redeemed.v1',
    data: { enterprise_uuid: 'e', content_key: 'c', lms_user_id: 1 },
  };
  const { key, value } = await encode(registry, 'subsidy-redemption', event);
  expect(asked.map(([subject]) => subject)).toEqual(['subsidy-redemption-value']);
  expect(key.toString('utf8')).toBe('customer-1');
  expect(value.toString('hex')).toBe('0000000003' + '0265' + '0263' + '02');
});

test.each([
  ['a number beyond what a long holds exactly', { quantity: 2 ** 60 }, 'ledger_transaction.quantity'],
  ['a fraction of a cent', { quantity: 0.5 }, 'ledger_transaction.quantity'],
  ['a learner as text', { lms_user_id: '1000' }, 'ledger_transaction.lms_user_id'],
  ['a missing field', { state: undefined }, 'ledger_transaction.state'],
  [
    'a reversal without its state',
    { reversal: { ...ledgerTransaction().reversal, state: null } },
    'ledger_transaction.reversal.state',
  ],
  ['a field that nobody declared', { lms_user_email: 'a@b.example' }, 'ledger_transaction'],
])('cannot be sent: %s', (_case, change, field) => {
  expect(sendable(eventTypes, reversed(change))).toEqual({ reason: `The data does not fit its schema in: ${field}.` });
});

test('optional fields may be null or left out, and are null on arrival', async () => {
  const { registry } = registryOf({ value: 9 });
  const { reversal: _reversal, ...rest } = ledgerTransaction({ parent_content_key: null });
  const event = { ...reversed(), data: { ledger_transaction: rest } };
  expect(sendable(eventTypes, event)).toMatchObject({ definition: { type: REVERSED } });
  const { value } = await encode(registry, 't', event);
  const data = await avroCodec(registry).decode(definitionOf(REVERSED), value);
  expect(data).toEqual({ ledger_transaction: { ...rest, reversal: null } });
  expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
});

test('a schema with a name that is code is refused', async () => {
  const { registry } = registryOf({ value: 1 });
  const evil = { name: 'X', type: 'record', fields: [{ name: 'a); throw 1; (', type: 'string' }] };
  const codec = avroCodec({ ...registry, schema: async () => evil });
  await expect(codec.decode(definitionOf(PING), Buffer.from('0000000001', 'hex'))).rejects.toMatchObject({
    reason: 'unknown_schema',
  });
});
