import SuperJSON, { type SuperJSONResult } from 'superjson';

/** Field names that superjson refuses to serialize, because they could be used for prototype pollution. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** Deeper values are also sent as JSON text, so that readers do not recurse into them. */
const MAXIMUM_DEPTH = 100;

/** A JSON value that is sent as text. */
class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** Replaces each object that superjson would refuse by its JSON text. Copies only what it changes. */
function withTexts(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value) && !isPlain(value)) return value;
  if (depth === MAXIMUM_DEPTH) return new JsonText(JSON.stringify(value));
  const keys = Object.keys(value);
  if (!Array.isArray(value) && keys.some((key) => REFUSED_NAMES.has(key))) return new JsonText(JSON.stringify(value));
  let copy: Record<string, unknown> | null = null;
  for (const key of keys) {
    const item = (value as Record<string, unknown>)[key];
    const safe = withTexts(item, depth + 1);
    if (safe === item) continue;
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as unknown as Record<string, unknown>;
    copy[key] = safe;
  }
  return copy ?? value;
}

const superjson = new SuperJSON();
superjson.registerCustom<JsonText, string>(
  {
    isApplicable: (value): value is JsonText => value instanceof JsonText,
    serialize: ({ text }) => text,
    deserialize: (text) => JSON.parse(text),
  },
  'json',
);

const serialize = (value: unknown): SuperJSONResult => superjson.serialize(withTexts(value));
const deserialize = (wire: SuperJSONResult): unknown => superjson.deserialize(wire);

/** superjson types that inputs can use. */
const KINDS: ReadonlySet<unknown> = new Set(['Date', 'number', 'undefined']);

const isJsonText = (kind: unknown): boolean =>
  Array.isArray(kind) && kind.length === 2 && kind[0] === 'custom' && kind[1] === 'json';

/** Checks superjson's annotations: `[type, inner annotations]`, or annotations by path. */
function assertPlain(notes: unknown): void {
  if (typeof notes !== 'object' || notes === null) return;
  const [kind, inside] = Array.isArray(notes) ? notes : ['undefined', notes];
  if (!KINDS.has(kind) && !isJsonText(kind)) throw new TypeError('The input contains a value of an unknown type.');
  for (const each of Object.values(inside ?? {})) assertPlain(each);
}

/**
 * Deserializes an input. Accepts only JSON, dates, special numbers and JSON as text: with other superjson types, a
 * few bytes could create an array of a billion numbers or exponentially nested objects. Annotations about equal
 * references are ignored, because the values are written out each time.
 */
function readInput(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || !('json' in input))
    throw new TypeError('The input is not valid superjson.');
  const { json, meta } = input as SuperJSONResult;
  assertPlain(meta?.values);
  return deserialize({ json, meta: { values: meta?.values, v: meta?.v } } as SuperJSONResult);
}

/**
 * tRPC transformer: superjson with restricted inputs and one more type. `["custom", "json"]` is JSON as text, for
 * free-form JSON with field names that superjson refuses.
 */
export const transformer = {
  input: { serialize, deserialize: readInput },
  output: { serialize, deserialize },
};
