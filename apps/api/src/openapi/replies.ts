import type { Operation } from '@enterprise-access/domain';
import { z } from 'zod';
import { exampleOf } from './examples.ts';
import type { Json } from './json.ts';
import { operationIdOf, pascalCase } from './names.ts';
import type { SchemaNames } from './schema-names.ts';
import { bodySchema, wireSchema } from './wire-schema.ts';

/** The success responses of an operation, by status. */
export function replies(operation: Operation, names: SchemaNames): Json {
  const { contract, legacy } = operation;
  const schema = legacy.reply ? bodySchema(legacy.reply.body) : wireSchema(contract.output, 'output');
  const name = `${pascalCase(operationIdOf(operation, contract.rest.method))}Reply`;
  // The reply has no body.
  const isSilent = legacy.reply?.body instanceof z.ZodUndefined;
  const statuses = legacy.reply?.statuses ?? [contract.rest.status ?? 200];
  const success = () => ({
    description: 'Success.',
    content: {
      'application/json': { schema: names.referAs(name, schema), examples: { reply: { value: exampleOf(schema) } } },
      ...Object.fromEntries((legacy.reply?.otherTypes ?? []).map((type) => [type, { schema: { type: 'string' } }])),
    },
  });
  return Object.fromEntries(
    statuses.map((status) => [String(status), status === 204 || isSilent ? { description: 'Done.' } : success()]),
  );
}
