import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { frame } from '../src/framing.ts';
import { GroupInUse } from '../src/index.ts';
import { collector } from './collector.ts';
import { promisesOfABus, until } from './contract.ts';
import { topics } from './event-types.ts';
import { PING, ping, textOf } from './events.ts';
import { type KafkaHarness, kafkaHarness } from './kafka-harness.ts';

const { missing } = inject('services');
const warnings: string[] = [];
process.on('warning', ({ name }) => warnings.push(name));

describe.skipIf(missing.kafka ?? missing.registry)('Kafka bus', () => {
  let harness: KafkaHarness;
  beforeAll(async () => {
    harness = await kafkaHarness(inject('services'));
  });
  afterAll(() => harness.close());
  beforeEach(() => harness.renew());

  promisesOfABus({ open: (options) => harness.open(options), put: (message) => harness.put(message) });

  test('values that cannot be read: each has its reason, and the one behind them arrives', async () => {
    const good = await harness.value(ping('good'));
    const headers = () =>
      [
        ['ce_type', PING],
        ['ce_id', randomUUID()],
      ] as const;
    const idOf = (name: string, schema: string) => harness.registry.register(`${harness.prefix}-${name}`, schema);
    const text = await idOf('text', '"string"');
    const other = await idOf(
      'other',
      JSON.stringify({
        name: 'CloudEvent',
        type: 'record',
        namespace: PING,
        fields: [{ name: 'ping', type: 'string' }],
      }),
    );
    const values: [string, Buffer | null, string][] = [
      ['no value', null, 'not_framed'],
      ['an empty one', Buffer.alloc(0), 'not_framed'],
      ['JSON', Buffer.from('{"ping":{}}'), 'not_framed'],
      ['a cut id', good.subarray(0, 4), 'not_framed'],
      ['an id that the registry does not know', frame(987_654_321, good.subarray(5)), 'unknown_schema'],
      ['the id of another schema', frame(text, good.subarray(5)), 'unknown_schema'],
      ['a schema with other fields', frame(other, good.subarray(5)), 'unknown_schema'],
      ['cut Avro', good.subarray(0, good.length - 1), 'undecodable'],
      ['no Avro at all', good.subarray(0, 5), 'undecodable'],
      ['more than Avro', Buffer.concat([good, Buffer.from('x')]), 'undecodable'],
    ];
    for (const [, value] of values) await harness.put({ topic: topics.enterpriseCore, headers: headers(), value });
    await harness.put({ topic: topics.enterpriseCore, headers: headers(), value: good });
    const bus = harness.open();
    const received = collector();
    bus.consume({ group: `group-${randomUUID()}`, topics: [topics.enterpriseCore], ...received });
    expect((await received.events.count(1)).map(textOf)).toEqual(['good']);
    await received.letters.count(values.length);
    // All have one key and so one partition: they come in the order in which they were sent.
    expect(received.letters.items.map(({ reason }) => reason)).toEqual(values.map(([, , reason]) => reason));
    await bus.close();
  });

  test('a writer with a newer schema is understood: unknown fields are left out, missing ones take their default', async () => {
    const schema = {
      name: 'CloudEvent',
      type: 'record',
      namespace: PING,
      fields: [
        {
          name: 'ping',
          type: {
            name: 'PingData',
            type: 'record',
            fields: [
              { name: 'mood', type: 'string' },
              { name: 'ping_message', type: 'string' },
              { name: 'ping_uuid', type: 'string' },
            ],
          },
        },
      ],
    };
    const id = await harness.registry.register(`${harness.prefix}-newer`, JSON.stringify(schema));
    const body = Buffer.concat(
      ['fine', 'hello', 'p1'].map((item) => Buffer.from(`${String.fromCharCode(item.length * 2)}${item}`)),
    );
    await harness.put({
      topic: topics.enterpriseCore,
      headers: [
        ['ce_type', PING],
        ['ce_id', randomUUID()],
      ],
      value: frame(id, body),
    });
    const bus = harness.open();
    const received = collector();
    bus.consume({ group: `group-${randomUUID()}`, topics: [topics.enterpriseCore], ...received });
    expect(await received.events.count(1)).toMatchObject([
      { data: { ping: { ping_uuid: 'p1', ping_message: 'hello' } } },
    ]);
    await bus.close();
  });

  test('a group that is consuming cannot be rewound', async () => {
    const bus = harness.open();
    const group = `group-${randomUUID()}`;
    await bus.publish([ping('1')]);
    const subscription = bus.consume({ group, topics: [topics.enterpriseCore], ...collector() });
    await until(() => subscription.isConnected);
    await expect(bus.rewind({ group, topics: [topics.enterpriseCore], to: new Date(0) })).rejects.toThrow(GroupInUse);
    await bus.close();
  });

  test('no connection asks for a timer in the past', () => {
    expect(warnings).not.toContain('TimeoutNegativeWarning');
  });
});
