import {
  DomainError,
  filterErrors,
  invalidInput,
  notFound,
  type Operation,
  snakeCase,
} from '@enterprise-access/domain';
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
  const isPaged = rest.method === 'GET' && 'pageSize' in schema.shape;
  const oldNames = Object.entries(legacy.query ?? {});
  /** All problems are in filters; a mutation can have a body beside its query. */
  const isFilter = ({ issues }: z.ZodError): boolean =>
    isPaged || (oldNames.length > 0 && issues.every(({ path }) => oldNames.some(([, { field }]) => field === path[0])));
  const isMalformedPath = ({ issues }: z.ZodError): boolean =>
    issues.some(({ path }) => rest.path.includes(`{${String(path[0])}}`));
  /** The name in the query that asked for a field. */
  const nameIn = (query: object) => (field: string) =>
    oldNames.find(([name, { field: of }]) => of === field && Object.hasOwn(query, name))?.[0] ?? snakeCase(field);

  return (error, { request, input, problem }) => {
    if (!isInvalidInput(error)) return error;
    const { cause } = error;
    if (problem !== null) return invalidInput({ fields: { non_field_errors: [problem] } }, { cause });
    if (!(cause instanceof z.ZodError)) return error;
    if (legacy.isMalformedPathUnknown && isMalformedPath(cause)) return notFound({}, { cause });
    const field = isCustomer ? context.field : 'enterpriseCustomerUuid';
    const isAsked = isCustomer || Object.hasOwn(request.query as object, snakeCase(field));
    const isUnreadable = ({ path }: { path: readonly PropertyKey[] }) => path.length === 1 && path[0] === field;
    const customer = input[field];
    if (isAsked && typeof customer === 'string' && customer !== '' && cause.issues.some(isUnreadable))
      return Object.assign(new Error(`${customer} is not a valid uuid.`, { cause }), { statusCode: 400 });
    if (!isFilter(cause)) return error;
    return invalidInput({ fields: filterErrors(cause, schema, nameIn(request.query as object)) }, { cause });
  };
}
