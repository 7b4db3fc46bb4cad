import { DomainError, filterErrors, invalidInput, type Operation, snakeCase } from '@enterprise-access/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ReadInput } from './rest-input.ts';

interface ReceivedInput extends Pick<ReadInput, 'input' | 'problem'> {
  readonly request: FastifyRequest;
}

const isInvalidInput = (error: unknown): error is DomainError =>
  error instanceof DomainError && error.spec.code === invalidInput.code;

/** Rewords validation errors to the messages of the old services for this part of a request. */
export function rewording({ contract, legacy }: Operation): (error: unknown, asked: ReceivedInput) => unknown {
  const { context, rest, input: schema } = contract;
  const isInPath = rest.path.includes(`{${context.field}}`);
  const isCustomer = context.from === 'customer' && !isInPath;
  const isFilter = legacy.query !== undefined || (rest.method === 'GET' && 'pageSize' in schema.shape);
  const oldNames = Object.entries(legacy.query ?? {});
  /** The name in the query that asked for a field. */
  const nameIn = (query: object) => (field: string) =>
    oldNames.find(([name, { field: of }]) => of === field && Object.hasOwn(query, name))?.[0] ?? snakeCase(field);

  return (error, { request, input, problem }) => {
    if (!isInvalidInput(error)) return error;
    const { cause } = error;
    if (problem !== null) return invalidInput({ fields: { non_field_errors: [problem] } }, { cause });
    if (!(cause instanceof z.ZodError)) return error;
    const isUnreadable = ({ path }: { path: readonly PropertyKey[] }) => path.length === 1 && path[0] === context.field;
    const customer = input[context.field];
    if (isCustomer && typeof customer === 'string' && customer !== '' && cause.issues.some(isUnreadable))
      return Object.assign(new Error(`${customer} is not a valid uuid.`, { cause }), { statusCode: 400 });
    if (!isFilter) return error;
    return invalidInput({ fields: filterErrors(cause, schema, nameIn(request.query as object)) }, { cause });
  };
}
