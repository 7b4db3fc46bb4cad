import { z } from 'zod';

/** Keys of records that are names of fields, written like all others in each form. Keys are data otherwise. */
export const fieldName = z.string();

/** A check of a zod schema. */
export interface Check {
  readonly check: string;
  readonly value?: unknown;
  readonly inclusive?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

/**
 * zod's internal definition of a schema. Only this file uses zod internals; codecs, the fast validator and the SDK
 * generator use its exports.
 */
export interface Definition {
  readonly type: string;
  readonly check?: string;
  readonly format?: string;
  readonly checks?: readonly { readonly _zod: { readonly def: Check } }[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly catchall?: z.ZodType;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly keyType?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly values?: readonly unknown[];
  readonly fn?: (value: unknown) => unknown;
}

export type Side = 'input' | 'output';

export const definitionOf = (schema: z.ZodType): Definition => schema._zod.def as unknown as Definition;

/** A visitor: one function per zod type. */
export type Cases<T> = Readonly<Record<string, (definition: Definition) => T>>;

/** Visits a schema; returns `otherwise` for types without a case. */
export function visit<T>(schema: z.ZodType, cases: Cases<T>, otherwise: T): T {
  const definition = definitionOf(schema);
  return Object.hasOwn(cases, definition.type) ? (cases[definition.type]?.(definition) ?? otherwise) : otherwise;
}

/**
 * The schema inside a wrapper such as optional, default or transform, on the input or output side; null for other
 * types.
 */
export function innerOf({ type, innerType, in: input, out }: Definition, side: Side): z.ZodType | null {
  if (innerType) return innerType;
  if (type !== 'pipe') return null;
  return (side === 'input' ? input : out) ?? null;
}

/** The input schema inside all wrappers. */
export function unwrapInput(schema: z.ZodType): z.ZodType {
  const inner = innerOf(definitionOf(schema), 'input');
  return inner ? unwrapInput(inner) : schema;
}

/** The input schema at a path; null if the schema does not have the path. */
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

/** A field without its wrappers (optional, nullable, default, transform). */
export interface Field {
  readonly schema: z.ZodType;
  /** Can be omitted. */
  readonly isOptional: boolean;
  readonly isNullable: boolean;
  /** The outermost description. */
  readonly description: string | undefined;
}

/** The input or output side of a schema. */
export function fieldOf(schema: z.ZodType, side: Side): Field {
  const definition = definitionOf(schema);
  const { type } = definition;
  const next = innerOf(definition, side);
  if (!next) return { schema, isOptional: false, isNullable: false, description: schema.description };
  // The output of a transform has no schema, so use its input.
  const isTransform = definitionOf(next).type === 'transform';
  const inner = fieldOf(isTransform ? (definition.in ?? next) : next, side);
  return {
    schema: inner.schema,
    isOptional:
      type !== 'nonoptional' && (inner.isOptional || type === 'optional' || (side === 'input' && type === 'default')),
    isNullable: inner.isNullable || type === 'nullable',
    description: schema.description ?? inner.description,
  };
}

export const shapeOf = (schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null =>
  definitionOf(schema).shape ?? null;
