import { definitionOf, fieldOf, type Side, shapeOf } from '@enterprise-access/domain';
import { z } from 'zod';
import { boundsOf, defaultOf } from './bounds.ts';

/** Names of models, by the zod definition that all copies of a schema share. */
export type Names = ReadonlyMap<unknown, string>;

/** Declarations and imports of one generated file. */
export interface Scope {
  readonly names: Names;
  /** Declared interfaces by name. */
  readonly declared: Map<string, string>;
  /** Names from the file of shared models. */
  readonly used: Set<string>;
  /** Fields without a description, by path. */
  readonly undocumented: string[];
  /** Models that other interfaces can extend. */
  readonly models: readonly NamedShape[];
}

export interface NamedShape {
  readonly name: string;
  readonly shape: Readonly<Record<string, z.ZodType>>;
}

const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
/** An item of `Reasons` is a `Reason`, one of `Output` an `OutputItem`. */
const itemName = (name: string): string =>
  /[^s]s$/.test(name) ? name.replace(/ies$/, 'y').replace(/s$/, '') : `${name}Item`;

/** A comment in front of a declaration. */
export function comment(lines: readonly string[], indent = ''): string {
  const safe = lines.map((line) => line.replaceAll('*/', '*\\/'));
  if (safe.length === 1) return `${indent}/** ${safe[0]} */\n`;
  return `${indent}/**\n${safe.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}

const literals = (values: readonly unknown[]): string =>
  values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value))).join(' | ');

/** Type of an enumeration: open for outputs, closed for inputs. */
const union = (values: readonly unknown[], side: Side): string =>
  side === 'output' ? `${literals(values)} | (string & {})` : literals(values);

const inArray = (type: string): string => (/[|&]/.test(type) ? `(${type})[]` : `${type}[]`);

const knownValues = (schema: z.ZodType): readonly string[] | undefined =>
  z.globalRegistry.get(schema)?.['x-extensible-enum'] as readonly string[] | undefined;

/** Types that zod cannot express, by field name. */
const customTypes: Readonly<Record<string, string>> = { fields: 'FieldErrors' };

/** The TypeScript type of a schema. `path` gives a name to an object that has none. */
export function typeOf(scope: Scope, schema: z.ZodType, side: Side, path: string, fieldName = '', about = ''): string {
  const field = fieldOf(schema, side);
  const type = bareType(scope, field.schema, side, { path, fieldName, about: field.description ?? about });
  return field.isNullable ? `${type} | null` : type;
}

/** Context of a type: name and comment of an object there. */
interface Place {
  readonly path: string;
  readonly fieldName: string;
  readonly about: string;
}

function bareType(scope: Scope, schema: z.ZodType, side: Side, { path, fieldName, about }: Place): string {
  const definition = definitionOf(schema);
  const inside = (inner: z.ZodType | undefined, name: string) =>
    inner ? typeOf(scope, inner, side, name, fieldName, about) : 'unknown';
  switch (definition.type) {
    case 'string': {
      const known = knownValues(schema);
      return known ? union(known, 'output') : 'string';
    }
    case 'number':
    case 'int':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'Date';
    case 'unknown':
    case 'any':
      return 'unknown';
    case 'null':
      return 'null';
    case 'literal':
      return literals(definition.values ?? []);
    case 'enum':
      return union(Object.values(definition.entries ?? {}), side);
    case 'array':
      return inArray(inside(definition.element, itemName(path)));
    case 'union':
      return (definition.options ?? []).map((option, index) => inside(option, `${path}${index + 1}`)).join(' | ');
    case 'record': {
      // zod's partial records with closed keys need not have all keys.
      const isClosed = definition.keyType !== undefined && definitionOf(definition.keyType).type === 'enum';
      const keys =
        isClosed && definition.keyType ? inside(definition.keyType, path).replace(' | (string & {})', '') : '';
      const value = inside(definition.valueType, `${path}Value`);
      return isClosed ? `Partial<Record<${keys}, ${value}>>` : `Record<string, ${value}>`;
    }
    case 'object':
      return objectType(scope, schema, side, path, about);
    case 'custom': {
      if (z.globalRegistry.get(schema)?.type === 'object') return 'Record<string, unknown>';
      const custom = customTypes[fieldName];
      if (!custom) throw new Error(`${path}.${fieldName}: the generator knows no type for a custom schema.`);
      scope.used.add(custom);
      return custom;
    }
    default:
      throw new Error(`${path}: the generator knows no type for ${definition.type}.`);
  }
}

function objectType(scope: Scope, schema: z.ZodType, side: Side, path: string, about: string): string {
  const shape = shapeOf(schema) ?? {};
  if (Object.keys(shape).length === 0) return 'NoDetails';
  const named = side === 'output' ? scope.names.get(schema._zod.def) : undefined;
  if (named) {
    scope.used.add(named);
    return named;
  }
  const name = pascal(path);
  if (about === '') scope.undocumented.push(name);
  declareObject(scope, name, shape, side, about);
  return name;
}

/** The model that this object extends: all fields of the model are present and unchanged. */
const baseOf = (shape: NamedShape['shape'], models: readonly NamedShape[]): NamedShape | undefined =>
  models
    .filter(
      (model) => model.shape !== shape && Object.entries(model.shape).every(([key, field]) => shape[key] === field),
    )
    .toSorted((a, b) => Object.keys(b.shape).length - Object.keys(a.shape).length)[0];

/** Lines about a field: meaning, bounds, default. */
export function documentation(schema: z.ZodType, side: Side): string[] | null {
  const { description } = fieldOf(schema, side);
  if (description === undefined) return null;
  const bounds = side === 'input' ? boundsOf(schema, side) : '';
  const value = side === 'input' ? defaultOf(schema) : null;
  const sentence = bounds === '' ? description : `${description} ${bounds}`;
  return value === null ? [sentence] : [sentence, '', `@defaultValue \`${value}\``];
}

/** Declares an interface in the scope, with a comment on each of its fields. */
export function declareObject(
  scope: Scope,
  name: string,
  shape: Readonly<Record<string, z.ZodType>>,
  side: Side,
  about: string,
  heritage: string | null = null,
): void {
  const base = side === 'output' && heritage === null ? baseOf(shape, scope.models) : undefined;
  if (base) scope.used.add(base.name);
  const parent = heritage ?? base?.name ?? null;
  const inherited = new Set(Object.keys(base?.shape ?? {}));
  // Declared before its parts, so that files read from the whole to the parts.
  scope.declared.set(name, '');
  const lines = Object.entries(shape)
    .filter(([field]) => !inherited.has(field))
    .map(([field, schema]) => {
      const { isOptional } = fieldOf(schema, side);
      const type = typeOf(scope, schema, side, `${name}${pascal(field)}`, field);
      const about = documentation(schema, side);
      if (!about) scope.undocumented.push(`${name}.${field}`);
      return `${comment(about ?? [''], '  ')}  ${field}${isOptional ? '?' : ''}: ${type}${isOptional ? ' | undefined' : ''};\n`;
    });
  if (lines.length === 0 && parent === null) {
    // An empty interface would take any value.
    scope.declared.set(name, `${comment([about])}export type ${name} = Record<string, never>;\n`);
    return;
  }
  const head = `export interface ${name}${parent ? ` extends ${parent}` : ''}`;
  scope.declared.set(name, `${comment([about])}${head} {\n${lines.join('')}}\n`);
}
