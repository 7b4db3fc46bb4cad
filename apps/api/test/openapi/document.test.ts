import { commonErrors, type Operation, operations, service, wireCodec } from '@enterprise-access/domain';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../../src/openapi/document.ts';
import { isJson, type Json } from '../../src/openapi/json.ts';
import { operationIdOf, pathOf } from '../../src/openapi/names.ts';
import { Conformance } from '../support/conformance.ts';
import { methodsOf } from '../support/examples.ts';

const document = openApiDocument();
const conformance = new Conformance(document);

/** Statuses that an operation answers with and no body. */
const bodiless = ({ contract, legacy }: Operation): number[] => [
  ...(contract.rest.status === 204 ? [204] : []),
  ...(legacy.reply?.body instanceof z.ZodUndefined ? [contract.rest.status ?? 200] : []),
  ...[...contract.errors, ...commonErrors].flatMap(({ code, status }) =>
    legacy.errors?.[code]?.body instanceof z.ZodUndefined ? [status] : [],
  ),
];

describe.each(
  operations.flatMap((operation) =>
    methodsOf(operation).map((method) => [operationIdOf(operation, method), operation, method] as const),
  ),
)('%s', (operationId, operation, method) => {
  const path = pathOf(operation);
  const documented = conformance.document.paths[path]?.[method.toLowerCase()];

  test('has an id, a sentence, a tag that is described, and says who may call it', () => {
    const { summary, permission } = operation.contract;
    const security = permission.open === 'anyone' ? [] : [{ jwt: [] }];
    expect(documented).toMatchObject({ operationId, summary, security });
    const tag = conformance.document.tags.find(({ name }) => name === documented?.tags[0]);
    expect(tag?.description, `tags.ts describes ${operation.domain}`).toMatch(/\.$/);
  });

  test('gives an example of every parameter, and it is valid', () => {
    for (const [index, parameter] of (documented?.parameters ?? []).entries()) {
      if ('$ref' in parameter) continue;
      expect(parameter, parameter.name).toHaveProperty('example');
      const pointer = `/paths/${path.replaceAll('/', '~1')}/${method.toLowerCase()}/parameters/${index}/schema`;
      expect(conformance.problemOf(pointer, parameter.example), parameter.name).toBeNull();
    }
  });

  test('gives an example of its request that the contract accepts', () => {
    if (!documented?.requestBody) return;
    const { examples } = documented.requestBody.content['application/json'] ?? {};
    const value = examples?.request?.value;
    const pointer = `/paths/${path.replaceAll('/', '~1')}/${method.toLowerCase()}/requestBody/content/application~1json/schema`;
    expect(conformance.problemOf(pointer, value)).toBeNull();
    const inPath = Object.fromEntries(
      documented.parameters.flatMap((each) => ('in' in each && each.in === 'path' ? [[each.name, each.example]] : [])),
    );
    const input = wireCodec(operation.contract.input).decode({ ...(value as object), ...inPath });
    expect(operation.contract.input.safeParse(input)).toMatchObject({ success: true });
  });

  test('gives an example of every answer, and each is valid', () => {
    for (const status of Object.keys(documented?.responses ?? {})) {
      const response = conformance.response(path, method.toLowerCase(), status);
      const content = response?.body.content?.['application/json'];
      if (content) expect(Object.keys(content.examples ?? {}), status).not.toEqual([]);
      else expect(bodiless(operation), status).toContain(Number(status));
      for (const [name, { value }] of Object.entries(content?.examples ?? {})) {
        const problem = conformance.problemOf(`${response?.pointer}/content/application~1json/schema`, value);
        expect(problem, `${status} ${name}: ${JSON.stringify(value)}`).toBeNull();
      }
    }
  });

  test('lists every failure that it declares, under its status and code', () => {
    const { contract } = operation;
    const expected = [...contract.errors, ...commonErrors].filter(
      ({ code }) => contract.kind === 'mutation' || !code.startsWith('idempotency'),
    );
    for (const { code, status } of expected) {
      const response = conformance.response(path, method.toLowerCase(), String(status));
      if (bodiless(operation).includes(status)) continue;
      expect(response?.body.content?.['application/json']?.examples, `${status}`).toHaveProperty(code);
    }
  });
});

/** Every object with fields that is written out where it is used, with the place of it. */
function inline(node: unknown, place: string): [string, string][] {
  if (Array.isArray(node)) return node.flatMap((each, index) => inline(each, `${place}/${index}`));
  if (!isJson(node)) return [];
  const own: [string, string][] =
    node.type === 'object' && isJson(node.properties) ? [[JSON.stringify(node), place]] : [];
  return [...own, ...Object.entries(node).flatMap(([name, value]) => inline(value, `${place}/${name}`))];
}

test('what occurs in two places has one name: give the schema a title by .meta({ title })', () => {
  const named = Object.values((document.components as { schemas: Json }).schemas);
  const inside = named.flatMap((schema) => Object.values(schema as Json).flatMap((part) => inline(part, 'schemas')));
  const places = Map.groupBy([...inside, ...inline(document.paths, 'paths')], ([text]) => text);
  expect([...places.values()].filter((found) => found.length > 1)).toEqual([]);
});

test('the same document comes out whatever the order in which the operations are loaded', () => {
  expect(JSON.stringify(openApiDocument({ ...service, operations: [...operations].reverse() }))).toBe(
    JSON.stringify(document),
  );
});
