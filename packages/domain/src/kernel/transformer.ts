import superjson, { type SuperJSONResult } from 'superjson';

/** Values of inputs that JSON has no words for. */
const KINDS: ReadonlySet<unknown> = new Set(['Date', 'number', 'undefined']);

/** Looks at superjson's notes: `[kind, inside]` about a value, or those of what is inside by path. */
function assertPlain(notes: unknown): void {
  if (typeof notes !== 'object' || notes === null) return;
  const [kind, inside] = Array.isArray(notes) ? notes : ['undefined', notes];
  if (!KINDS.has(kind)) throw new TypeError('The input holds a value of an unknown kind.');
  for (const each of Object.values(inside ?? {})) assertPlain(each);
}

/**
 * An input is a tree of JSON, dates and odd numbers. Of the rest of superjson nothing is taken: a few bytes can name an array of a
 * billion numbers, or objects that hold each other so often that nobody gets to their end. Its notes about values that
 * are the same object are not needed, because such values are written out each time.
 */
function readInput({ json, meta }: SuperJSONResult): unknown {
  assertPlain(meta?.values);
  return superjson.deserialize({ json, meta: { values: meta?.values, v: meta?.v } } as SuperJSONResult);
}

/** The wire of the tRPC transport: superjson, with less of it for what comes in. */
export const transformer = {
  input: { serialize: superjson.serialize, deserialize: readInput },
  output: superjson,
};
