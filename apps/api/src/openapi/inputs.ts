import type { Operation } from '@enterprise-access/domain';
import { exampleOf, exampleRequest } from './examples.ts';
import { compact, type Json } from './json.ts';
import { namesInPath, operationIdOf, pascalCase } from './names.ts';
import type { SchemaNames } from './schema-names.ts';
import { wireSchema } from './wire-schema.ts';

interface Fields {
  readonly properties: Readonly<Record<string, Json>>;
  readonly required: readonly string[];
  readonly whole: Json;
}

function fieldsOf({ contract }: Operation): Fields {
  const whole = wireSchema(contract.input, 'input');
  return {
    properties: (whole.properties ?? {}) as Record<string, Json>,
    required: (whole.required ?? []) as string[],
    whole,
  };
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Makes a repeat of the request answer with the first reply for a day.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
  example: '0b8f4f0e-redeem-1000',
};

export const parameterComponents = { IdempotencyKey: idempotencyKey };

/** Path parameters, and for a GET the query parameters. */
export function parameters(operation: Operation, names: SchemaNames): Json[] {
  const { contract } = operation;
  const { properties, required } = fieldsOf(operation);
  const inPath = namesInPath(operation);
  const fields = Object.entries(properties)
    .filter(([name]) => inPath.has(name) || contract.rest.method === 'GET')
    .map(([name, { description, examples, ...schema }]) =>
      compact({
        name,
        in: inPath.has(name) ? 'path' : 'query',
        required: inPath.has(name) || required.includes(name),
        description,
        schema: names.refer(schema),
        example: exampleOf(
          { ...schema, ...(examples === undefined ? {} : { examples }) },
          exampleName(operation, name),
        ),
      }),
    );
  const old = Object.entries(operation.legacy.query ?? {})
    .filter(([name]) => contract.rest.method !== 'GET' || properties[name] === undefined)
    .map(([name, { description, example }]) => ({
      name,
      in: 'query',
      required: false,
      description,
      schema: { type: 'string' },
      example,
    }));
  const header = contract.kind === 'mutation' ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : [];
  return [...fields, ...old, ...header];
}

/** The example of a path parameter `uuid` depends on the resource of the operation. */
const exampleName = ({ contract }: Operation, name: string): string =>
  name === 'uuid' && contract.context.field === 'uuid' ? `${contract.context.from}_uuid` : name;

/** The fields of the input that are sent as JSON; undefined for a request without a body. */
export function requestBody(operation: Operation, names: SchemaNames): Json | undefined {
  if (operation.contract.rest.method === 'GET') return undefined;
  const { properties, required, whole } = fieldsOf(operation);
  const inPath = namesInPath(operation);
  const inBody = Object.fromEntries(Object.entries(properties).filter(([name]) => !inPath.has(name)));
  if (Object.keys(inBody).length === 0) return undefined;
  const stillRequired = required.filter((name) => !inPath.has(name));
  const schema = compact({
    ...whole,
    properties: inBody,
    required: stillRequired.length > 0 ? stillRequired : undefined,
  });
  const name = `${pascalCase(operationIdOf(operation, operation.contract.rest.method))}Request`;
  return {
    required: stillRequired.length > 0,
    content: {
      'application/json': {
        schema: names.referAs(name, schema),
        examples: { request: { value: exampleRequest(schema) } },
      },
    },
  };
}
