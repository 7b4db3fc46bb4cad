import { snakeCase } from '@enterprise-access/domain';
import { EXAMPLE_TIME, EXAMPLE_UUID, exampleValues } from './example-values.ts';
import { isJson, type Json } from './json.ts';

/** Texts by `format`. */
const FORMATS: Readonly<Record<string, string>> = {
  uuid: EXAMPLE_UUID,
  'date-time': EXAMPLE_TIME,
  date: EXAMPLE_TIME.slice(0, 10),
  email: 'learner-1000@demo.example',
  uri: 'https://access.example.org/',
};

/** Number of optional fields in the example of a request without required fields. */
const FIELDS_OF_A_CHANGE = 2;

const typesOf = ({ type }: Json): unknown[] => (Array.isArray(type) ? type : [type]);
const firstOf = (value: unknown): unknown => (Array.isArray(value) ? value[0] : undefined);

/** Whether an example value could match the schema here; the test of the document validates the whole example. */
function fits(value: unknown, json: Json): boolean {
  if (Array.isArray(json.enum)) return json.enum.includes(value);
  if (Array.isArray(json.anyOf)) return json.anyOf.some((each) => isJson(each) && fits(value, each));
  if (Array.isArray(value)) return json.type === 'array';
  if (json.type === undefined) return false;
  const type = value === null ? 'null' : typeof value === 'number' ? 'integer' : typeof value;
  if (!typesOf(json).includes(type) && !(type === 'integer' && typesOf(json).includes('number'))) return false;
  if (typeof value === 'number' && typeof json.minimum === 'number' && value < json.minimum) return false;
  if (typeof value === 'number' && typeof json.maximum === 'number' && value > json.maximum) return false;
  return true;
}

function number({ minimum, maximum, exclusiveMinimum }: Json): number {
  const least = typeof exclusiveMinimum === 'number' ? exclusiveMinimum + 1 : typeof minimum === 'number' ? minimum : 1;
  return typeof maximum === 'number' ? Math.min(Math.max(1, least), maximum) : Math.max(1, least);
}

function object(json: Json): Json {
  const fields = isJson(json.properties) ? json.properties : {};
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) =>
      isJson(field) ? [[name, exampleOf(field, snakeCase(name))]] : [],
    ),
  );
}

function byType(json: Json, name: string): unknown {
  switch (typesOf(json)[0]) {
    case 'object':
      return object(json);
    case 'array':
      return isJson(json.items) ? [exampleOf(json.items, name)] : [];
    case 'integer':
    case 'number':
      return number(json);
    case 'boolean':
      return true;
    case 'string':
      return FORMATS[String(json.format)] ?? (/uuid$/.test(name) ? EXAMPLE_UUID : 'text');
    default:
      return null;
  }
}

/**
 * A value that the schema accepts: the contract's example, the example value of that field name, or a made-up value.
 */
export function exampleOf(json: Json, name = ''): unknown {
  const given = firstOf(json.examples);
  if (given !== undefined) return given;
  if (json.const !== undefined) return json.const;
  if (name in exampleValues && fits(exampleValues[name], json)) return exampleValues[name];
  if (json.default !== undefined) return json.default;
  if (Array.isArray(json.enum)) return json.enum[0];
  const option = firstOf(json.anyOf ?? json.oneOf);
  return isJson(option) ? exampleOf(option, name) : byType(json, name);
}

/** Example of a request body: required fields, and fields for which the contract has an example. */
export function exampleRequest(json: Json): Json {
  const fields = isJson(json.properties) ? json.properties : {};
  const required = Array.isArray(json.required) ? json.required : [];
  const typed = Object.keys(fields).filter((name) => {
    const field = fields[name];
    return isJson(field) && (field.type !== undefined || field.anyOf !== undefined);
  });
  const asked = typed.filter(
    (name) => required.includes(name) || (isJson(fields[name]) && 'examples' in (fields[name] as Json)),
  );
  const shown = asked.length > 0 ? asked : typed.slice(0, FIELDS_OF_A_CHANGE);
  return Object.fromEntries(shown.map((name) => [name, exampleOf(fields[name] as Json, name)]));
}
