import { randomUUID } from 'node:crypto';
import { type PlatformCommand, runPlatform } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type OutgoingEvent, Unreadable } from '../src/index.ts';
import { collector } from './collector.ts';
import { eventTypes, topics } from './event-types.ts';
import { ledgerTransaction, NOON, PING, REVERSED, reversed } from './events.ts';
import { type KafkaHarness, kafkaHarness } from './kafka-harness.ts';

const { missing } = inject('services');

const REVOKED = 'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1';
const GROUP_DELETED = 'org.openedx.enterprise.enterprise_group.deleted.v1';
const TRANSACTION_TYPES = ['created', 'committed', 'failed', 'reversed'].map(
  (what) => `org.openedx.enterprise.subsidy_ledger_transaction.${what}.v1`,
);

const revoked = {
  learner_credit_course_enrollment: {
    uuid: '11111111-2222-4333-8444-555555555555',
    created: '2026-03-01T10:00:00+00:00',
    modified: '2026-03-02T10:00:00.000001+00:00',
    fulfillment_type: 'learner_credit',
    is_revoked: true,
    enterprise_course_entitlement_uuid: null,
    enterprise_course_enrollment: {
      id: 7,
      created: '2026-03-01T10:00:00+00:00',
      modified: '2026-03-02T10:00:00+00:00',
      enterprise_customer_user: {
        id: 12,
        created: '2026-03-01T10:00:00+00:00',
        modified: '2026-03-01T10:00:00+00:00',
        enterprise_customer_uuid: '11111111-1111-4111-8111-111111111111',
        user_id: 1000,
        active: true,
        linked: true,
        is_relinkable: true,
        should_inactivate_other_customers: false,
        invite_key: null,
      },
      course_id: 'course-v1:edX+DemoX+2T2026',
      saved_for_later: false,
      source_slug: 'enterprise',
      unenrolled: true,
      unenrolled_at: '2026-03-02T10:00:00+00:00',
    },
    transaction_id: '8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
  },
};

describe.skipIf(missing.kafka ?? missing.registry ?? missing.platform)("the platform's own event bus", () => {
  let harness: KafkaHarness;
  beforeAll(async () => {
    await useService(inject('services'), 'platform');
    harness = await kafkaHarness(inject('services'));
  });
  afterAll(() => harness.close());
  beforeEach(() => harness.renew());

  const platform = (command: PlatformCommand['command'], input: unknown) =>
    runPlatform({
      command,
      input,
      brokers: harness.brokers,
      registryUrl: harness.registryUrl,
      topicPrefix: harness.prefix,
    });

  test('registers the same schema texts as we do', async () => {
    // The ping is defined by the old service, not by the platform's library.
    const shared = [...eventTypes.values()].filter(({ keySchema, type }) => keySchema !== null && type !== PING);
    expect(shared).toHaveLength(6);
    expect(
      await platform(
        'schemas',
        shared.map(({ type }) => type),
      ),
    ).toEqual(Object.fromEntries(shared.map(({ type, schema }) => [type, schema])));
  });

  test('reads what we publish', async () => {
    const bus = harness.open();
    const group = `group-${randomUUID()}`;
    const sent: OutgoingEvent[] = TRANSACTION_TYPES.map((type, index) => ({
      ...reversed(type === REVERSED ? {} : { reversal: null, parent_content_key: null, quantity: -1 - index }),
      type,
    }));
    await bus.publish(sent);
    // Their consumer begins at the end of a topic; a rewound group begins where we say.
    await bus.rewind({ group, topics: [topics.ledgerTransactions], to: new Date(0) });
    const received = await platform('consume', { topic: topics.ledgerTransactions, group, count: sent.length });
    expect(received).toEqual(
      sent.map(({ id, type, data }) => ({
        type,
        metadata: expect.objectContaining({
          event_type: type,
          id,
          minorversion: 0,
          source: 'openedx/enterprise_access/web',
          sourcelib: [10, 5, 0],
          time: NOON.toISOString().replace('.000Z', '+00:00'),
        }),
        data: {
          ledger_transaction: {
            ...(data.ledger_transaction as object),
            // Understood as an instant, and written as Python writes it.
            created: '2026-03-01T10:00:05.123000+00:00',
          },
        },
      })),
    );
    await bus.close();
  });

  test('publishes what we read', async () => {
    const group = { enterprise_group: { uuid: 'd509a63b-eb11-4dc8-8b84-4688c7335110' } };
    await platform('produce', [
      {
        type: REVOKED,
        topic: topics.learnerCreditEnrollments,
        key_field: 'learner_credit_course_enrollment.uuid',
        data: revoked,
      },
      { type: GROUP_DELETED, topic: topics.enterpriseCore, key_field: 'enterprise_group.uuid', data: group },
    ]);
    const bus = harness.open();
    const received = collector();
    bus.consume({
      group: `group-${randomUUID()}`,
      topics: [topics.learnerCreditEnrollments, topics.enterpriseCore],
      ...received,
    });
    const events = await received.events.count(2);
    const byType = Object.fromEntries(events.map((event) => [event.type, event]));
    expect(byType[REVOKED]).toMatchObject({ data: revoked, source: 'openedx/lms/web', minorVersion: 0 });
    expect(byType[GROUP_DELETED]).toMatchObject({ data: group });
    expect(received.letters.items).toEqual([]);
    await bus.close();
  });

  test('writes the same bytes as we do', async () => {
    const data = { ledger_transaction: ledgerTransaction({ created: '2026-03-01T10:00:00+00:00' }) };
    const bus = harness.open();
    await platform('produce', [
      { type: REVERSED, topic: topics.ledgerTransactions, key_field: 'ledger_transaction.uuid', data },
    ]);
    await bus.publish([{ ...reversed(), data }]);
    const received = collector();
    bus.consume({
      group: `group-${randomUUID()}`,
      topics: [topics.ledgerTransactions],
      deadLetter: received.deadLetter,
      handle: () => Promise.reject(new Unreadable('invalid_data', 'Shown to the test as it is.')),
    });
    const [a, b] = (await received.letters.count(2)).map(({ message }) => message);
    expect(a?.value?.toString('hex')).toBe(b?.value?.toString('hex'));
    expect(a?.key?.toString('hex')).toBe(b?.key?.toString('hex'));
    expect(Object.keys(a?.headers ?? {}).sort()).toEqual(Object.keys(b?.headers ?? {}).sort());
    const constant = [
      'ce_type',
      'ce_specversion',
      'ce_minorversion',
      'ce_datacontenttype',
      'content-type',
      'sourcelib',
    ];
    for (const name of [...constant, 'sourcehost']) expect(String(a?.headers[name])).toBe(String(b?.headers[name]));
    await bus.close();
  });
});
