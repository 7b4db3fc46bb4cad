import { commonErrors, type ErrorSpec, type Operation, operations, snakeCase } from '@enterprise-access/domain';
import { z } from 'zod';

type Json = Record<string, unknown>;

/** JSON Schema of a value on the wire: snake_case names, times as text. */
function wireSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
      if (jsonSchema.properties) {
        jsonSchema.properties = Object.fromEntries(
          Object.entries(jsonSchema.properties).map(([name, value]) => [snakeCase(name), value]),
        );
      }
      if (jsonSchema.required) jsonSchema.required = jsonSchema.required.map(snakeCase);
    },
  }) as Json;
  return json;
}

const PLACEHOLDER = /\{(\w+)\}/g;
const fieldErrors = { type: 'object', description: 'Messages by field.', additionalProperties: true };
const detail = { type: 'object', properties: { detail: { type: 'string' } }, required: ['detail'] };

const namesInPath = (path: string): string[] => [...path.matchAll(PLACEHOLDER)].map(([, name = '']) => name);

function parameters({ contract, legacy }: Operation): Json[] {
  const json = wireSchema(contract.input, 'input') as { properties?: Record<string, Json>; required?: string[] };
  const inPath = new Set(namesInPath(contract.rest.path).map(snakeCase));
  const old = Object.entries(legacy.query ?? {})
    .filter(([name]) => contract.rest.method !== 'GET' || json.properties?.[name] === undefined)
    .map(([name, { description }]) => ({
      name,
      in: 'query',
      required: false,
      description,
      schema: { type: 'string' },
    }));
  const named = Object.entries(json.properties ?? {})
    .filter(([name]) => inPath.has(name) || contract.rest.method === 'GET')
    .map(([name, schema]) => ({
      name,
      in: inPath.has(name) ? 'path' : 'query',
      required: inPath.has(name) || (json.required ?? []).includes(name),
      ...(schema.description ? { description: schema.description } : {}),
      schema,
    }));
  return [...named, ...old];
}

function requestBody({ contract }: Operation): Json | undefined {
  if (contract.rest.method === 'GET') return undefined;
  const json = wireSchema(contract.input, 'input') as { properties?: Record<string, Json>; required?: string[] };
  const inPath = new Set(namesInPath(contract.rest.path).map(snakeCase));
  const properties = Object.fromEntries(Object.entries(json.properties ?? {}).filter(([name]) => !inPath.has(name)));
  if (Object.keys(properties).length === 0) return undefined;
  const required = (json.required ?? []).filter((name) => !inPath.has(name));
  const schema = { ...json, properties, required };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function errorBody(operation: Operation, spec: ErrorSpec): Json {
  const legacy = operation.legacy.errors?.[spec.code];
  if (legacy) return wireSchema(legacy.body, 'output');
  return spec.code === 'invalid_input' ? fieldErrors : detail;
}

const responsesToEveryone = commonErrors.filter(({ code }) =>
  [
    'not_authenticated',
    'permission_denied',
    'invalid_input',
    'not_found',
    'throttled',
    'upstream_unavailable',
  ].includes(code),
);
const responsesToKeys = commonErrors.filter(({ code }) => code.startsWith('idempotency'));

function responses(operation: Operation): Json {
  const { contract, legacy } = operation;
  const statuses = legacy.reply?.statuses ?? [contract.rest.status ?? 200];
  const body = legacy.reply ? wireSchema(legacy.reply.body, 'output') : wireSchema(contract.output, 'output');
  const success = statuses.map((status) => [
    String(status),
    status === 204
      ? { description: 'Done.' }
      : { description: 'Success.', content: { 'application/json': { schema: body } } },
  ]);
  const errors = [...contract.errors, ...responsesToEveryone, ...(contract.kind === 'mutation' ? responsesToKeys : [])];
  const byStatus = Map.groupBy(errors, ({ status }) => String(status));
  const failures = [...byStatus].map(([status, specs]) => {
    const bodies = [
      ...new Map(specs.map((spec) => errorBody(operation, spec)).map((json) => [JSON.stringify(json), json])).values(),
    ];
    return [
      status,
      {
        description: specs.map(({ code, message }) => `\`${code}\`: ${message}`).join('\n\n'),
        content: { 'application/json': { schema: bodies.length === 1 ? bodies[0] : { anyOf: bodies } } },
      },
    ];
  });
  return Object.fromEntries([...success, ...failures]);
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Makes a repeat of the request answer with the first reply for a day.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** The OpenAPI 3.1 document of the REST door, made from the contracts. */
export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const { contract, id } = operation;
    const { method, alsoMethods = [] } = contract.rest;
    const path = contract.rest.path.replace(PLACEHOLDER, (_all, name: string) => `{${snakeCase(name)}}`);
    for (const each of [method, ...alsoMethods]) {
      const body = requestBody(operation);
      paths[path] = {
        ...paths[path],
        [each.toLowerCase()]: {
          operationId: each === method ? id.replace('.', '_') : `${id.replace('.', '_')}_${each.toLowerCase()}`,
          tags: [operation.domain],
          summary: contract.summary,
          description: `Permission: \`${contract.permission}\`. tRPC: \`${id}\`.`,
          security: [{ jwt: [] }],
          parameters: [...parameters(operation), ...(contract.kind === 'mutation' ? [idempotencyKey] : [])],
          ...(body ? { requestBody: body } : {}),
          responses: responses(operation),
        },
      };
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Enterprise Access',
      version: '1.0.0',
      description:
        'Decides which learners of an enterprise may spend which value on which content, spends it, and keeps the books.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.map(({ domain }) => domain))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        jwt: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`JWT <token>` or `Bearer <token>`.' },
      },
    },
  };
}
