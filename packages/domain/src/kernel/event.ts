/** A part of an Avro schema. */
export type AvroSchema =
  | null
  | boolean
  | number
  | string
  | readonly AvroSchema[]
  | { readonly [key: string]: AvroSchema };

/** The one field of an event in the platform's form, and its type. */
interface DataField {
  readonly name: string;
  readonly type: AvroSchema;
}

/** An event type as data. The bus makes subjects, texts of schemas and codecs from it. */
export type EventDeclaration = {
  /** `org.openedx.….v1` */
  readonly type: string;
  /** Without the prefix of the environment. */
  readonly topic: string;
} & (
  | {
      readonly form: 'platform';
      readonly data: DataField;
      /** Field of the data that holds the key. */
      readonly keyField: string;
    }
  | { readonly form: 'own'; readonly schema: AvroSchema }
);

/** Topic of the platform's events about its core, which several slices read. */
export const ENTERPRISE_CORE = 'enterprise-core';

/** An event of the platform, which we send in its form or read. */
export const platformEvent = (type: string, topic: string, data: DataField, keyField = 'uuid'): EventDeclaration => ({
  type,
  topic,
  form: 'platform',
  data,
  keyField,
});

/** An event of this service's own. */
export const ownEvent = (type: string, topic: string, schema: AvroSchema): EventDeclaration => ({
  type,
  topic,
  form: 'own',
  schema,
});
