import avsc from 'avsc';
import { Unreadable } from './unreadable.ts';

export type Data = Readonly<Record<string, unknown>>;

/** A schema made ready for use. */
export interface AvroType {
  /** Null when the data fits; otherwise the paths of the fields that do not. Fields that the schema lacks do not fit. */
  misfit(data: Data): string | null;
  encode(data: Data): Buffer;
  /** Reads what was written with this very schema, or through a resolver with another one. */
  decode(body: Buffer, resolver?: AvroResolver): Data;
  /** How data of another schema is read with this one. */
  resolver(writer: unknown): AvroResolver;
  /** The data without fields that the schema lacks, and with the defaults of those that are missing. */
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
        throw new Unreadable('unknown_schema', 'The schema of the value does not lead to ours.', { cause });
      }
    },
    conform: (data) => plain(type.clone(data)) as Data,
  };
}

/** Records arrive as objects of generated classes; everybody else expects plain ones. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}
