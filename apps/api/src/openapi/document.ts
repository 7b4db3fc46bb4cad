import { type Operation, service } from '@enterprise-access/domain';
import { Failures, headerComponents } from './failures.ts';
import { parameterComponents, parameters, requestBody } from './inputs.ts';
import { byName, compact, type Json } from './json.ts';
import { operationIdOf, pathOf } from './names.ts';
import { replies } from './replies.ts';
import { SchemaNames } from './schema-names.ts';

const info = {
  title: 'Enterprise Access',
  version: '1.0.0',
  description:
    'Decides which learners of an enterprise can spend which budget on which content, enrolls them, and keeps the ledger.',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
};

const securitySchemes = {
  jwt: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The header `Authorization: Bearer <token>`; `JWT <token>` means the same.',
  },
};

function describe(operation: Operation, method: string, names: SchemaNames, failures: Failures): Json {
  const { contract, domain, id } = operation;
  const body = requestBody(operation, names);
  return compact({
    operationId: operationIdOf(operation, method),
    tags: [domain],
    summary: contract.summary,
    description: `Permission: \`${contract.permission.name}\`. tRPC: \`${id}\`.`,
    security: contract.permission.open === 'anyone' ? [] : [{ jwt: [] }],
    parameters: parameters(operation, names),
    requestBody: body,
    responses: byName({ ...replies(operation, names), ...failures.of(operation, body !== undefined) }),
  });
}

/** The OpenAPI 3.1 document of the REST API, generated from the contracts. */
export function openApiDocument({ operations: of, tags }: Pick<typeof service, 'operations' | 'tags'> = service): Json {
  const names = new SchemaNames();
  const failures = new Failures(names);
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of of) {
    const { method, alsoMethods = [] } = operation.contract.rest;
    const methods = [method, ...alsoMethods].map((each): [string, Json] => [
      each.toLowerCase(),
      describe(operation, each, names, failures),
    ]);
    const path = pathOf(operation);
    paths[path] = byName({ ...paths[path], ...Object.fromEntries(methods) });
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: '/' }],
    tags: [...new Set(of.map(({ domain }) => domain))].sort().map((name) => compact({ name, description: tags[name] })),
    paths: byName(paths),
    components: {
      schemas: names.all(),
      responses: byName(failures.shared()),
      parameters: parameterComponents,
      headers: headerComponents,
      securitySchemes,
    },
  };
}
