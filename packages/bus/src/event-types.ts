import { type AvroType, avroType } from './avro.ts';
import { type Json, schemaText } from './schema-text.ts';

/** What must be known of an event type to send it and to read it. */
export interface EventType {
  readonly type: string;
  /** Without the prefix of the environment. */
  readonly topic: string;
  /** The schema that the data is read with and written with. */
  readonly avro: AvroType;
  /** The text that is registered for it. */
  readonly schema: string;
  /** Registry subject of the value in a topic (with its prefix). */
  readonly valueSubject: (topic: string) => string;
  /** Schema of the key, or null for a key that is plain text. */
  readonly keySchema: string | null;
}

/** Every event type that is sent or read, by name. */
export type EventTypes = ReadonlyMap<string, EventType>;

const DOCUMENTATION = 'Avro Event Format for CloudEvents created with openedx_events/schema';

/** An event type as data: all that the bus is told of it. */
export type EventDeclaration = { readonly type: string; readonly topic: string } & (
  | {
      /** Of the platform: the data is one field of a record that is named after the event type (section 2.2). */
      readonly form: 'platform';
      readonly data: { readonly name: string; readonly type: Json };
      /** Name of the field that holds the key. */
      readonly keyField: string;
    }
  /** Of this service's own (section 7): subjects by topic, keys as plain text. */
  | { readonly form: 'own'; readonly schema: Json }
);

function eventTypeOf(declared: EventDeclaration): EventType {
  const { type, topic, form } = declared;
  const schema =
    form === 'own'
      ? declared.schema
      : {
          name: 'CloudEvent',
          type: 'record',
          namespace: type,
          doc: DOCUMENTATION,
          fields: [{ name: declared.data.name, type: declared.data.type }],
        };
  return {
    type,
    topic,
    avro: avroType(schema),
    schema: schemaText(schema),
    valueSubject: (full) => (form === 'own' ? `${full}-value` : `${full}-${type}.CloudEvent`),
    // The declaration of the field that holds the key.
    keySchema: form === 'own' ? null : schemaText({ name: declared.keyField, type: 'string' }),
  };
}

export const eventTypesOf = (declared: Iterable<EventDeclaration>): EventTypes =>
  new Map([...declared].map((each) => [each.type, eventTypeOf(each)]));
