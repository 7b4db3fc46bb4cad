import avsc from 'avsc';
import { Unreadable } from './unreadable.ts';

export type Data = Readonly<Record<string, unknown>>;

/** A compiled Avro schema. */
export interface AvroType {
  /** Null if the data is valid; otherwise the paths of the invalid fields. Unknown fields are invalid. */
  misfit(data: Data): string | null;
  encode(data: Data): Buffer;
  /** Decodes data that was written with this schema, or with the resolver's schema. */
  decode(body: Buffer, resolver?: AvroResolver): Data;
  /** Creates a resolver to read data of another writer schema. */
  resolver(writer: unknown): AvroResolver;
  /** Removes unknown fields and adds the defaults of missing ones. */
  conform(data: Data): Data;
}

export type AvroResolver = object;

const forSchema = (schema: unknown) => avsc.Type.forSchema(schema as avsc.Schema, { omitRecordMethods: true });

const string = forSchema('string');

export const encodeString = (text: string): Buffer => string.toBuffer(text);

export function avroType(schema: unknown): AvroType {
  const type = forSchema(schema);
  const misfit = (data: Data): string | null => {
    const paths: string[] = [];
    const errorHook = (path: string[]) => paths.push(path.join('.') || 'the data itself');
    return type.isValid(data, { noUndeclaredFields: true, errorHook }) ? null : [...new Set(paths)].join(', ');
  };
  return {
    misfit,
    encode: (data) => type.toBuffer(data),
    decode(body, resolver) {
      try {
        return plain(type.fromBuffer(body, resolver as never)) as Data;
      } catch (cause) {
        throw new Unreadable('undecodable', 'The value is not what its schema says.', { cause });
      }
    },
    resolver(writer) {
      try {
        return type.createResolver(forSchema(writer));
      } catch (cause) {
        throw new Unreadable('unknown_schema', 'The schema of the value cannot be resolved to ours.', { cause });
      }
    },
    conform: (data) => plain(type.clone(data)) as Data,
  };
}

/** Converts records, which are instances of generated classes, to plain objects. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}
