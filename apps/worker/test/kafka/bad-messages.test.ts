import { randomUUID } from 'node:crypto';
import { eventTypesOf, kafkaBus } from '@enterprise-access/bus';
import { events } from '@enterprise-access/domain';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually, type KafkaWorld, makeKafkaWorld, revokedData } from '../support/kafka-world.ts';

const ENROLMENT_TOPIC = 'learner-credit-course-enrollment-lifecycle';

const { missing } = inject('services');
const REVOKED = 'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Raw {
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

describe.skipIf(missing.kafka ?? missing.registry)('messages that cannot be processed', { timeout: 180_000 }, () => {
  let world: KafkaWorld;
  let producer: Producer;
  const topic = () => `${world.topicPrefix}-${ENROLMENT_TOPIC}`;
  beforeAll(async () => {
    world = await makeKafkaWorld();
    producer = new Kafka({ brokers: [world.brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
  }, 120_000);
  afterAll(async () => {
    await producer.disconnect();
    await world.close();
  });

  /** The bytes of a good event about a transaction, as a consumer would get them. */
  async function good(transaction: string, change: Readonly<Record<string, unknown>> = {}): Promise<Raw> {
    const bus = kafkaBus({
      kafka: { brokers: [world.brokers], clientId: 'test' },
      registry: { url: world.registry.url },
      eventTypes: eventTypesOf(events.values()),
      // On topics of its own: the test wants the bytes only.
      topicPrefix: `bytes-${randomUUID()}`,
      service: 'test',
      now: () => new Date(),
      log: silent,
    });
    const id = randomUUID();
    const taken = Promise.withResolvers<Raw>();
    await bus.publish([
      { id, type: REVOKED, key: id, data: revokedData(transaction, change), time: new Date(), trace: null },
    ]);
    bus.consume({
      group: id,
      topics: [ENROLMENT_TOPIC],
      // Fails once, so that the message comes to us as it is.
      retry: { initialMs: 1, maximumMs: 1, attempts: 1 },
      handle: () => Promise.reject(new Error('not wanted')),
      deadLetter: async ({ message }) =>
        taken.resolve({
          value: message.value ?? Buffer.alloc(0),
          headers: Object.fromEntries(Object.entries(message.headers).map(([name, [value]]) => [name, String(value)])),
        }),
    });
    const raw = await taken.promise;
    await bus.close();
    return raw;
  }

  const withSchema = ({ value, headers }: Raw, id: number): Raw => {
    const changed = Buffer.from(value);
    changed.writeUInt32BE(id, 1);
    return { value: changed, headers };
  };
  const withHeaders = (raw: Raw, change: Readonly<Record<string, string | undefined>>): Raw => ({
    value: raw.value,
    headers: Object.fromEntries(
      Object.entries({ ...raw.headers, ...change }).filter((header): header is [string, string] => Boolean(header[1])),
    ),
  });

  /** Registers a schema that nobody has; its number, which is one more each time. */
  async function newSchema(schema: object): Promise<number> {
    const reply = await fetch(`${world.registry.url}/subjects/test-${randomUUID()}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
    });
    return ((await reply.json()) as { id: number }).id;
  }
  const schemaOf = async (id: number): Promise<object> => {
    const reply = await fetch(`${world.registry.url}/schemas/ids/${id}`);
    return JSON.parse(((await reply.json()) as { schema: string }).schema);
  };

  test('each becomes a dead letter with its reason, the partition continues, and a retry succeeds after the repair', async () => {
    const transactions: string[] = [];
    for (const learner of [1_000, 1_001, 1_002]) transactions.push(await world.redeem(learner));
    const [first = '', second = '', last = ''] = transactions;
    const event = await good(first);
    const ours = await schemaOf(event.value.readUInt32BE(1));
    // The number of a writer's schema that the registry will have later, beyond what the worker itself registers.
    const later = (await newSchema({ ...ours, doc: 'now' })) + 20;
    const messages: readonly Raw[] = [
      withHeaders(event, { ce_type: 'org.openedx.enterprise.something.else.v1', ce_id: randomUUID() }),
      withHeaders(event, { ce_id: undefined }),
      { ...event, value: event.value.subarray(0, event.value.length - 40) },
      withSchema(event, later),
      await good(second, { unenrolled_at: null }),
      await good(last),
    ];
    // All in one partition: each stands in the way of the next.
    await producer.send({ topic: topic(), messages: messages.map((raw) => ({ ...raw, key: 'k', partition: 0 })) });

    await eventually(async () => expect(await world.reversalOf(last)).toBe('committed'));
    const deadLetters = await world.db('dead_letters').orderBy('position').select('reason', 'settled', 'topic');
    expect(deadLetters.map(({ reason }) => reason)).toEqual([
      'unknown_type',
      'bad_header',
      'undecodable',
      'unknown_schema',
      'invalid_data',
    ]);
    expect(await world.reversalOf(first)).toBeUndefined();

    // Without a repair nothing changes, however often somebody tries.
    expect(await world.job('dead-letters.retry')).toMatchObject({ events: 0, open: 5 });
    await eventually(async () => expect(await world.db('outbox').whereNull('sent')).toEqual([]));
    let newest = 0;
    for (let doc = 0; newest < later; doc += 1) newest = await newSchema({ ...ours, doc: String(doc) });
    expect(newest).toBe(later);
    expect(await world.job('dead-letters.retry', '--dry-run')).toMatchObject({ dryRun: true, events: 5, open: 5 });
    expect(await world.reversalOf(first)).toBeUndefined();
    expect(await world.job('dead-letters.retry')).toMatchObject({ events: 1, open: 4 });
    expect(await world.reversalOf(first)).toBe('committed');
    expect(await world.reversalOf(second)).toBeUndefined();
    expect(await world.job('dead-letters.retry')).toMatchObject({ events: 0, open: 4 });
  });
});
