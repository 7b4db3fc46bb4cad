import { timeText } from '@enterprise-access/db';
import { z } from 'zod';
import { givenInstant } from './instant.ts';
import { type Cases, type Definition, definitionOf, fieldName, innerOf, unwrapInput, visit } from './schema.ts';

/**
 * Converts a contract's values to and from their REST form: snake_case names, ISO 8601 times. Compiled from the
 * schema once, when the server starts. Keys of records are data and are not changed, unless they are
 * declared as names of fields.
 */
export interface WireCodec {
  /** Converts names and times from the wire without validation; zod validates the result. */
  readonly decode: (unsafe: unknown) => unknown;
  readonly encode: (value: unknown) => unknown;
}

type Step = (value: unknown) => unknown;
/** Null means "no change", so subtrees without changes cost nothing. */
type MaybeStep = Step | null;

export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const whole = (step: MaybeStep): Step => step ?? ((value) => value);

const inRecord =
  (each: Step): Step =>
  (value) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, each(v)])) : value;

/** Compiles the decoder of a schema. */
const decoder = (schema: z.ZodType): MaybeStep => visit<MaybeStep>(unwrapInput(schema), decoders, null);

const decoders: Cases<MaybeStep> = {
  date: () => (value) => (typeof value === 'string' ? (givenInstant(value) ?? value) : value),
  array: ({ element }) => {
    const each = element ? decoder(element) : null;
    return each && ((value) => (Array.isArray(value) ? value.map(each) : value));
  },
  record: ({ valueType }) => {
    const each = valueType ? decoder(valueType) : null;
    return each && inRecord(each);
  },
  object: ({ shape = {} }) => {
    const fields = new Map(
      Object.entries(shape).map(([name, field]) => [snakeCase(name), { name, step: decoder(field) }]),
    );
    return (value) => {
      if (!isRecord(value)) return value;
      const decoded: Record<string, unknown> = {};
      for (const [key, item] of Object.entries(value)) {
        const field = fields.get(key);
        // Keep unknown names, so that a strict contract can report them.
        decoded[field?.name ?? (key === '__proto__' ? 'proto' : key)] = field?.step ? field.step(item) : item;
      }
      return decoded;
    };
  },
};

const timeStep: Step = (value) => (value instanceof Date ? timeText(value) : value);

/** The list itself when no item changes. */
function mapped(items: readonly unknown[], each: Step): readonly unknown[] {
  let changed: unknown[] | null = null;
  for (const [index, item] of items.entries()) {
    const encoded = each(item);
    if (encoded !== item) {
      changed ??= [...items];
      changed[index] = encoded;
    }
  }
  return changed ?? items;
}

interface Field {
  readonly name: string;
  readonly wire: string;
  readonly step: MaybeStep;
}

/** Renames all fields; unknown fields are omitted. */
const renaming =
  (fields: readonly Field[]): Step =>
  (value) => {
    const source = value as Record<string, unknown>;
    const encoded: Record<string, unknown> = {};
    for (const { name, wire, step } of fields) {
      const item = source[name];
      if (item !== undefined) encoded[wire] = step && item !== null ? step(item) : item;
    }
    return encoded;
  };

/** Keeps names; the object itself when no field changes. */
function replacing(fields: readonly Field[]): Step {
  const steps = fields.flatMap(({ name, step }) => (step ? [[name, step] as const] : []));
  return (value) => {
    const source = value as Record<string, unknown>;
    let changed: Record<string, unknown> | null = null;
    for (const [name, step] of steps) {
      const item = source[name];
      if (item === undefined || item === null) continue;
      const encoded = step(item);
      if (encoded === item) continue;
      changed ??= { ...source };
      changed[name] = encoded;
    }
    return changed ?? value;
  };
}

const renamingKeys =
  (rename: (name: string) => string, each: Step): Step =>
  (value) =>
    isRecord(value)
      ? Object.fromEntries(Object.entries(value).map(([name, item]) => [rename(name), each(item)]))
      : value;

/** Compiles an encoder: names by `rename`, times in the format of the old services. */
function encoderTo(rename: (name: string) => string): (schema: z.ZodType) => MaybeStep {
  const encoder = (schema: z.ZodType): MaybeStep => {
    const inner = innerOf(definitionOf(schema), 'output');
    if (!inner) return visit<MaybeStep>(schema, encoders, null);
    const step = encoder(inner);
    return step && ((value) => (value === null || value === undefined ? value : step(value)));
  };
  const encoders: Cases<MaybeStep> = {
    date: () => timeStep,
    array: ({ element }) => {
      const each = element ? encoder(element) : null;
      return each && ((value) => mapped(value as unknown[], each));
    },
    record: ({ keyType, valueType }) => {
      const each = valueType ? encoder(valueType) : null;
      if (keyType === fieldName) return renamingKeys(rename, whole(each));
      return each && inRecord(each);
    },
    union: ({ options: schemas = [] }) => {
      const options = schemas.map((option) => ({ option, step: encoder(option) }));
      if (options.every(({ step }) => step === null)) return null;
      return (value) => whole(options.find(({ option }) => option.safeParse(value).success)?.step ?? null)(value);
    },
    object: ({ shape = {} }) => {
      const fields = Object.entries(shape).map(([name, field]) => ({ name, wire: rename(name), step: encoder(field) }));
      if (fields.some(({ name, wire }) => name !== wire)) return renaming(fields);
      return fields.some(({ step }) => step !== null) ? replacing(fields) : null;
    },
  };
  return encoder;
}

/** Times as text, in a value that has the names of the wire already. */
export const timesAsText = (schema: z.ZodType): ((value: unknown) => unknown) =>
  whole(encoderTo((name) => name)(schema));

/** Derives the codec of a schema. Never touches the schema itself. */
export const wireCodec = (schema: z.ZodType): WireCodec => ({
  decode: whole(decoder(schema)),
  encode: whole(encoderTo(snakeCase)(schema)),
});

/** Path and query values are text: each becomes what its field declares, or stays text for zod to refuse. */
export function queryDecoder(schema: z.ZodType): (text: string | readonly string[]) => unknown {
  const inner = unwrapInput(schema);
  const definition = definitionOf(inner);
  if (definition.type === 'array' && definition.element) {
    const each = queryDecoder(definition.element);
    return (text) => (typeof text === 'string' ? [text] : text).map(each);
  }
  const scalar = scalarDecoder(definition);
  // Of a repeated single value the last one counts, as in the old services.
  return (text) => scalar(typeof text === 'string' ? text : (text.at(-1) ?? ''));
}

const HEX_UUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;
const withHyphens = (text: string): string => text.replace(HEX_UUID, '$1-$2-$3-$4-$5');

function scalarDecoder(definition: Definition): (text: string) => unknown {
  if (definition.type === 'number') return (text) => (/^[+-]?\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : text);
  if (definition.type === 'boolean') {
    return (text) => ({ true: true, '1': true, false: false, '0': false })[text.toLowerCase()] ?? text;
  }
  if (definition.type === 'date') return (text) => givenInstant(text) ?? text;
  if (definition.format === 'guid') return withHyphens;
  return (text) => text;
}

/** The schema of a value's REST form: the same with names of the wire. Describes replies in forms of their own. */
export function wireBody(schema: z.ZodType): z.ZodType {
  const meta = schema.meta();
  const named = (body: z.ZodType): z.ZodType => (meta === undefined ? body : body.meta(meta));
  const { type, innerType, element, shape } = definitionOf(schema);
  if (type === 'object' && shape)
    return named(
      z.object(Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), wireBody(field)]))),
    );
  if (type === 'array' && element) return named(z.array(wireBody(element)));
  if (type === 'nullable' && innerType) return named(wireBody(innerType).nullable());
  if (type === 'optional' && innerType) return named(wireBody(innerType).optional());
  return schema;
}
