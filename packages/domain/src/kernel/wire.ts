import { timeText } from '@enterprise-access/db';
import type { z } from 'zod';
import { givenInstant } from './instant.ts';

/**
 * The REST form of a contract's values: snake_case names, ISO 8601 times. The mapping is derived from the schema once,
 * when the server starts; keys of records are data and stay as they are.
 */
export interface WireCodec {
  /** From the wire to the contract's names. Changes names and texts only; whether the value is right is zod's to say. */
  readonly decode: (unsafe: unknown) => unknown;
  readonly encode: (value: unknown) => unknown;
}

type Step = (value: unknown) => unknown;
/** Null stands for "as it is": whole subtrees without renames cost nothing. */
type MaybeStep = Step | null;

export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly valueType?: z.ZodType;
  readonly format?: string;
}

export const definitionOf = (schema: z.ZodType): Definition => schema._zod.def as unknown as Definition;

/** The schema inside optionals, defaults and transforms, on the side that callers write. */
export function unwrapInput(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = definitionOf(schema);
  if (innerType) return unwrapInput(innerType);
  return input ? unwrapInput(input) : schema;
}

/** The schema of what stands at a path, on the side that callers write; null beyond what the schema names. */
export function fieldAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | null {
  let at: z.ZodType | undefined = unwrapInput(schema);
  for (const part of path) {
    if (!at) return null;
    const { shape, element, valueType }: Definition = definitionOf(at);
    const named = shape && Object.hasOwn(shape, part) ? shape[String(part)] : undefined;
    const next: z.ZodType | undefined = named ?? element ?? valueType;
    at = next && unwrapInput(next);
  }
  return at ?? null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

const whole = (step: MaybeStep): Step => step ?? ((value) => value);

/** Names and times of one schema, from the wire. */
function decoder(schema: z.ZodType): MaybeStep {
  const definition = definitionOf(unwrapInput(schema));
  if (definition.type === 'date') {
    return (value) => (typeof value === 'string' ? (givenInstant(value) ?? value) : value);
  }
  if (definition.type === 'array' && definition.element) {
    const each = decoder(definition.element);
    return each && ((value) => (Array.isArray(value) ? value.map(each) : value));
  }
  if (definition.type === 'record' && definition.valueType) {
    const each = decoder(definition.valueType);
    return (
      each &&
      ((value) => (isRecord(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, each(v)])) : value))
    );
  }
  if (definition.type !== 'object' || !definition.shape) return null;
  const fields = new Map(
    Object.entries(definition.shape).map(([name, field]) => [snakeCase(name), { name, step: decoder(field) }]),
  );
  return (value) => {
    if (!isRecord(value)) return value;
    const decoded: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      const field = fields.get(key);
      // Unknown names are kept as they came, so that a strict contract can name them in its refusal.
      decoded[field?.name ?? (key === '__proto__' ? 'proto' : key)] = field?.step ? field.step(item) : item;
    }
    return decoded;
  };
}

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

/** Names every field anew; what the schema does not name is left out. */
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

/** Names by `rename`, and times as the old services write them. */
function encoder(schema: z.ZodType, rename: (name: string) => string): MaybeStep {
  const definition = definitionOf(schema);
  if (definition.type === 'date') return timeStep;
  const inner = definition.innerType ?? (definition.type === 'pipe' ? definition.out : undefined);
  if (inner) {
    const step = encoder(inner, rename);
    return step && ((value) => (value === null || value === undefined ? value : step(value)));
  }
  if (definition.type === 'array' && definition.element) {
    const each = encoder(definition.element, rename);
    return each && ((value) => mapped(value as unknown[], each));
  }
  if (definition.type === 'record' && definition.valueType) {
    const each = encoder(definition.valueType, rename);
    return each && ((value) => Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, each(v)])));
  }
  if (definition.type === 'union' && definition.options) {
    const options = definition.options.map((option) => ({ option, step: encoder(option, rename) }));
    if (options.every(({ step }) => step === null)) return null;
    return (value) => whole(options.find(({ option }) => option.safeParse(value).success)?.step ?? null)(value);
  }
  if (definition.type !== 'object' || !definition.shape) return null;
  const fields = Object.entries(definition.shape).map(([name, field]) => ({
    name,
    wire: rename(name),
    step: encoder(field, rename),
  }));
  if (fields.some(({ name, wire }) => name !== wire)) return renaming(fields);
  return fields.some(({ step }) => step !== null) ? replacing(fields) : null;
}

/** Times as text, in a value that has the names of the wire already. */
export const timesAsText = (schema: z.ZodType): ((value: unknown) => unknown) => whole(encoder(schema, (name) => name));

/** Derives the codec of a schema. Never touches the schema itself. */
export const wireCodec = (schema: z.ZodType): WireCodec => ({
  decode: whole(decoder(schema)),
  encode: whole(encoder(schema, snakeCase)),
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
