import type { z } from 'zod';

/** The parts of zod's definitions that the generator reads. */
export interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly keyType?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly values?: readonly unknown[];
}

export type Side = 'input' | 'output';

export const definitionOf = (schema: z.ZodType): Definition => schema._zod.def as unknown as Definition;

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
  const { type, innerType } = definition;
  const next = innerType ?? (type === 'pipe' ? (side === 'input' ? definition.in : definition.out) : undefined);
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
