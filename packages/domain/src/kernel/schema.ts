import type { z } from 'zod';

/** What a check of a schema asks for. */
export interface Check {
  readonly check: string;
  readonly value?: unknown;
  readonly inclusive?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

/**
 * What zod keeps of a schema. Only this file looks inside zod: codecs, the fast check of replies and the generator of
 * the SDK walk schemas with what it exports.
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

/** What to make of a schema, by its type. */
export type Cases<T> = Readonly<Record<string, (definition: Definition) => T>>;

/** Makes of a schema what the case of its type says; `otherwise` for a type without a case. */
export function visit<T>(schema: z.ZodType, cases: Cases<T>, otherwise: T): T {
  const definition = definitionOf(schema);
  return Object.hasOwn(cases, definition.type) ? (cases[definition.type]?.(definition) ?? otherwise) : otherwise;
}

/** What stands inside a wrapper such as an optional, a default or a transformation, on one side; null for the others. */
export function innerOf({ type, innerType, in: input, out }: Definition, side: Side): z.ZodType | null {
  if (innerType) return innerType;
  if (type !== 'pipe') return null;
  return (side === 'input' ? input : out) ?? null;
}

/** The schema inside all its wrappers, on the side that callers write. */
export function unwrapInput(schema: z.ZodType): z.ZodType {
  const inner = innerOf(definitionOf(schema), 'input');
  return inner ? unwrapInput(inner) : schema;
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

/** A field without what makes it optional, nullable, defaulted or transformed. */
export interface Field {
  readonly schema: z.ZodType;
  /** May be left out. */
  readonly isOptional: boolean;
  readonly isNullable: boolean;
  /** The first description from the outside. */
  readonly description: string | undefined;
}

/** What stands on one side of a schema. */
export function fieldOf(schema: z.ZodType, side: Side): Field {
  const definition = definitionOf(schema);
  const { type } = definition;
  const next = innerOf(definition, side);
  if (!next) return { schema, isOptional: false, isNullable: false, description: schema.description };
  // What comes out of a transformation has no schema: the way in says what it is.
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
