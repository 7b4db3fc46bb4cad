import type { Serializer } from './options.ts';

/*
 * The wire format of the service is superjson's: JSON beside notes about the values that JSON has no words for, and one
 * kind of its own: `["custom", "json"]` is JSON as text, for objects with field names that superjson refuses. What the
 * service sends and takes is data without classes, so this small part of it is enough; `Serializer` takes the library
 * itself, with that kind registered, for whoever wants all of it.
 */

type Kind = string | readonly [string, ...unknown[]];
/**
 * superjson annotations: `[kind]` for a leaf, `[kind, inner]` for a value with inner annotations, or annotations by
 * path.
 */
type Notes = readonly [kind: Kind, inside?: NotesByPath] | NotesByPath;
interface NotesByPath {
  readonly [path: string]: Notes;
}
interface Wire {
  readonly json: unknown;
  readonly meta?: { readonly values?: Notes } | undefined;
}

const JSON_TEXT = ['custom', 'json'] as const;
const isJsonText = (kind: Kind): boolean =>
  Array.isArray(kind) && kind.length === 2 && kind[0] === 'custom' && kind[1] === 'json';

const revive = (kind: Kind, value: unknown): unknown => {
  if (isJsonText(kind)) return JSON.parse(value as string);
  switch (kind) {
    case 'Date':
      return new Date(value as string);
    case 'undefined':
      return undefined;
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value as string);
    case 'set':
      return new Set(value as unknown[]);
    case 'map':
      return new Map(value as [unknown, unknown][]);
    case 'URL':
      return new URL(value as string);
    default:
      throw new TypeError(`The reply contains a value of an unknown type: ${kind}.`);
  }
};

const isLeaf = (notes: Notes): notes is readonly [Kind, NotesByPath?] => Array.isArray(notes);

/** `a\\.b.c` is the path `a.b`, `c`. */
function segmentsOf(path: string): string[] {
  if (!path.includes('\\')) return path.split('.');
  const segments: string[] = [];
  let segment = '';
  for (let at = 0; at < path.length; at += 1) {
    const char = path.charAt(at);
    if (char === '.') {
      segments.push(segment);
      segment = '';
    } else if (char === '\\') {
      at += 1;
      segment += path.charAt(at);
    } else segment += char;
  }
  segments.push(segment);
  return segments;
}

type Container = Record<string, unknown>;

/** Follows own properties only, so that a path with `__proto__` is rejected. */
function own(value: unknown, segment: string): Container {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, segment)) return value as Container;
  throw new TypeError('The reply has annotations for a value that it does not contain.');
}

function applyInside(root: unknown, inside: NotesByPath): void {
  for (const path of Object.keys(inside)) {
    const segments = segmentsOf(path);
    const last = segments.pop() as string;
    let value = root;
    for (const segment of segments) value = own(value, segment)[segment];
    const parent = own(value, last);
    parent[last] = apply(parent[last], inside[path] as Notes);
  }
}

function apply(value: unknown, notes: Notes): unknown {
  if (!isLeaf(notes)) {
    applyInside(value, notes);
    return value;
  }
  const [kind, inside] = notes;
  if (inside) applyInside(value, inside);
  return revive(kind, value);
}

/** Names that superjson refuses; an object with one of them is sent as JSON text. */
const REFUSED_NAMES: readonly string[] = ['__proto__', 'constructor', 'prototype'];

const escaped = (key: string): string => key.replace(/[\\.]/g, '\\$&');

/** Converts dates to text with an annotation; `path` is null at the top. Undefined fields are omitted, as in JSON. */
function strip(value: unknown, path: string | null, notes: Record<string, Notes>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) {
    notes[path ?? ''] = ['Date'];
    return value.toISOString();
  }
  const inside = (key: string) => (path === null ? escaped(key) : `${path}.${escaped(key)}`);
  if (Array.isArray(value)) return value.map((item, index) => strip(item, inside(String(index)), notes));
  if (REFUSED_NAMES.some((name) => Object.hasOwn(value, name))) {
    notes[path ?? ''] = [JSON_TEXT];
    return JSON.stringify(value);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, strip(item, inside(key), notes)]));
}

/** The built-in serializer. */
export const wire = {
  serialize(value) {
    const notes: Record<string, Notes> = {};
    const json = strip(value, null, notes);
    if (Object.keys(notes).length === 0) return { json };
    const isLeafItself = typeof json === 'string' && notes[''] !== undefined;
    return { json, meta: { values: isLeafItself ? notes[''] : notes, v: 1 } };
  },
  deserialize({ json, meta }: Wire) {
    return meta?.values ? apply(json, meta.values) : json;
  },
} satisfies Serializer;
