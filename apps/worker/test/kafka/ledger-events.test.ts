import { randomUUID } from 'node:crypto';
import { eventTypesOf, kafkaBus } from '@enterprise-access/bus';
import { auditBooks, events } from '@enterprise-access/domain';
import { useService } from '@enterprise-access/services/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually, type KafkaWorld, makeKafkaWorld, revokedData } from '../support/kafka-world.ts';

const LEDGER_TOPIC = 'enterprise-subsidies-transaction-lifecycle';
const ENROLMENT_TOPIC = 'learner-credit-course-enrollment-lifecycle';

const { missing } = inject('services');
const transactionType = (what: string) => `org.openedx.enterprise.subsidy_ledger_transaction.${what}.v1`;
const REVOKED = 'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1';
const PING = 'org.openedx.enterprise.core.ping.v1';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Received {
  readonly type: string;
  readonly data: { readonly ledger_transaction: Readonly<Record<string, unknown>> };
}

describe.skipIf(missing.kafka ?? missing.registry ?? missing.platform)(
  "the platform's own event bus",
  {
    timeout: 180_000,
  },
  () => {
    let world: KafkaWorld;
    beforeAll(async () => {
      await useService(inject('services'), 'platform');
      world = await makeKafkaWorld();
    }, 120_000);
    afterAll(() => world.close());

    /** What the platform's consumer understands of the first `count` messages of our ledger. */
    async function ledgerEvents(count: number): Promise<Received[]> {
      const group = `group-${randomUUID()}`;
      const bus = kafkaBus({
        kafka: { brokers: [world.brokers], clientId: 'test' },
        registry: { url: world.registry.url },
        eventTypes: eventTypesOf(events.values()),
        topicPrefix: world.topicPrefix,
        service: 'test',
        now: () => new Date(),
        log: silent,
      });
      // Their consumer begins at the end of a topic; a rewound group begins where we say.
      await bus.rewind({ group, topics: [LEDGER_TOPIC], to: new Date(0) });
      await bus.close();
      return (await world.platform('consume', { topic: LEDGER_TOPIC, group, count })) as Received[];
    }

    test('a redemption publishes an event, an unenrollment event of the platform reverses it, and that publishes another event', async () => {
      const transaction = await world.redeem(1_000);
      const isSent = async () => expect(await world.db('outbox').whereNull('sent')).toEqual([]);
      await eventually(isSent);
      const told = await ledgerEvents(2);
      expect(told.map(({ type }) => type)).toEqual(['created', 'committed'].map(transactionType));
      for (const { data } of told)
        expect(data.ledger_transaction).toMatchObject({ uuid: transaction, quantity: -14_900, lms_user_id: 1_000 });

      const revoked = {
        type: REVOKED,
        topic: ENROLMENT_TOPIC,
        key_field: 'learner_credit_course_enrollment.uuid',
        data: revokedData(transaction),
      };
      // Told twice, as the platform may: it has one effect.
      expect(await world.platform('produce', [revoked, revoked])).toBe(2);
      await eventually(async () => expect(await world.reversalOf(transaction)).toBe('committed'));
      await eventually(isSent);
      const all = await ledgerEvents(3);
      expect(all.map(({ type }) => type)).toEqual(['created', 'committed', 'reversed'].map(transactionType));
      expect(all[2]?.data.ledger_transaction).toMatchObject({
        uuid: transaction,
        reversal: { quantity: 14_900, state: 'committed' },
      });
      expect(await auditBooks(world.db)).toEqual([]);
      expect(await world.db('dead_letters')).toEqual([]);
    });

    test('a ping of the platform arrives', async () => {
      const ping = { ping_uuid: randomUUID(), ping_message: 'hello' };
      await world.platform('produce', [
        { type: PING, topic: 'enterprise-core', key_field: 'ping.ping_uuid', data: { ping } },
      ]);
      await eventually(async () => expect(world.worker.output()).toContain(ping.ping_uuid));
      // A stranger's text is not ours to log.
      expect(world.worker.output()).not.toContain(ping.ping_message);
    });
  },
);
