import accessPolicy from '../schemas/access-policy.json' with { type: 'json' };
import enterpriseGroup from '../schemas/enterprise-group.json' with { type: 'json' };
import learnerCreditEnrollment from '../schemas/learner-credit-enrollment.json' with { type: 'json' };
import ledgerTransaction from '../schemas/ledger-transaction.json' with { type: 'json' };
import ping from '../schemas/ping.json' with { type: 'json' };
import subsidyRedemption from '../schemas/subsidy-redemption.json' with { type: 'json' };
import { type AvroType, avroType } from './avro.ts';
import { type Json, schemaText } from './schema-text.ts';

/** Definition of an event type, for publishing and consuming. */
export interface EventType {
  readonly type: string;
  /** Without the prefix of the environment. */
  readonly topic: string;
  /** Avro schema of the data. */
  readonly avro: AvroType;
  /** Text of the schema in the registry. */
  readonly schema: string;
  /** Registry subject of the value in a topic (with its prefix). */
  readonly valueSubject: (topic: string) => string;
  /** Schema of the key, or null for a key that is plain text. */
  readonly keySchema: string | null;
}

const DOCUMENTATION = 'Avro Event Format for CloudEvents created with openedx_events/schema';

interface DataField {
  readonly name: string;
  readonly type: Json;
}

/** An event of the Open edX platform: the data is one field of a record named after the event type. */
function cloudEvent(type: string, topic: string, data: DataField, keyField = 'uuid'): EventType {
  const schema = {
    name: 'CloudEvent',
    type: 'record',
    namespace: type,
    doc: DOCUMENTATION,
    fields: [{ name: data.name, type: data.type }],
  };
  return {
    type,
    topic,
    avro: avroType(schema),
    schema: schemaText(schema),
    valueSubject: (full) => `${full}-${type}.CloudEvent`,
    // The declaration of the field that holds the key.
    keySchema: schemaText({ name: keyField, type: 'string' }),
  };
}

/** An event that only this service defines: subjects by topic, plain text keys. */
const ownEvent = (type: string, topic: string, schema: Json): EventType => ({
  type,
  topic,
  avro: avroType(schema),
  schema: schemaText(schema),
  valueSubject: (full) => `${full}-value`,
  keySchema: null,
});

export const topics = {
  ledgerTransactions: 'enterprise-subsidies-transaction-lifecycle',
  learnerCreditEnrollments: 'learner-credit-course-enrollment-lifecycle',
  enterpriseCore: 'enterprise-core',
  accessPolicies: 'access-policy',
  subsidyRedemptions: 'subsidy-redemption',
} as const;

const ledgerTransactionEvent = (what: string) =>
  cloudEvent(
    `org.openedx.enterprise.subsidy_ledger_transaction.${what}.v1`,
    topics.ledgerTransactions,
    ledgerTransaction,
  );
const accessPolicyEvent = (what: string) =>
  ownEvent(`org.openedx.enterprise.access.access-policy.${what}.v1`, topics.accessPolicies, accessPolicy);
const redemptionEvent = (what: string) =>
  ownEvent(`org.openedx.enterprise.access.subsidy.${what}.v1`, topics.subsidyRedemptions, subsidyRedemption);

/** All event types that we publish or consume. */
export const eventTypes: ReadonlyMap<string, EventType> = new Map(
  [
    ...['created', 'committed', 'failed', 'reversed'].map(ledgerTransactionEvent),
    cloudEvent(
      'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1',
      topics.learnerCreditEnrollments,
      learnerCreditEnrollment,
    ),
    cloudEvent('org.openedx.enterprise.enterprise_group.deleted.v1', topics.enterpriseCore, enterpriseGroup),
    cloudEvent('org.openedx.enterprise.core.ping.v1', topics.enterpriseCore, ping, 'ping_uuid'),
    ...['created', 'updated', 'deleted'].map(accessPolicyEvent),
    ...['redeemed', 'redemption-reversed'].map(redemptionEvent),
  ].map((event) => [event.type, event]),
);
