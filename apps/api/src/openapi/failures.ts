import { commonErrors, type ErrorSpec, invalidInput, type Operation, shapeOf } from '@enterprise-access/domain';
import { z } from 'zod';
import { exampleOf } from './examples.ts';
import { compact, type Json } from './json.ts';
import { pascalCase } from './names.ts';
import type { SchemaNames } from './schema-names.ts';
import { bodySchema } from './wire-schema.ts';

/** A failure that no contract declares, because it is detected outside of the operation. */
interface Undeclared {
  readonly code: string;
  readonly status: number;
  readonly message: string;
}

const serverError: Undeclared = {
  code: 'internal_error',
  status: 500,
  message: 'Internal error. Operators can find it in the log by the request id.',
};
const headersTooLong: Undeclared = {
  code: 'headers_too_long',
  status: 431,
  message: 'URL and headers exceed 64 KB.',
};
const ofBodies: readonly Undeclared[] = [
  { code: 'body_too_slow', status: 408, message: 'The request body did not arrive in time.' },
  { code: 'body_too_large', status: 413, message: 'Request body is too large.' },
  { code: 'unsupported_media_type', status: 415, message: 'The body is not JSON.' },
];

const FIELD_ERRORS = 'FieldErrors';
const errorDetail = {
  title: 'ErrorDetail',
  type: 'object',
  properties: { detail: { type: 'string', description: 'A sentence for people.' } },
  required: ['detail'],
};
const messages = { title: 'Messages', type: 'array', items: { type: 'string' } };
const fieldErrors = {
  title: FIELD_ERRORS,
  type: 'object',
  properties: {
    non_field_errors: { ...messages, description: 'What is wrong with the whole.' },
    detail: { type: 'string', description: 'Why the request could not be read at all.' },
  },
  additionalProperties: {
    anyOf: [messages, { $ref: `#/components/schemas/${FIELD_ERRORS}` }, { type: 'string' }],
  },
};
const internalError = {
  title: 'InternalError',
  type: 'object',
  properties: {
    detail: { type: 'string', description: 'Says nothing about the cause.' },
    request_id: { type: 'string', description: 'Names the request in the logs.' },
  },
  required: ['detail', 'request_id'],
};

const FIELD_ERRORS_SAYS = 'Messages by field, nested as the request is.';

const responseHeaders: Readonly<Record<string, Json>> = {
  '401': { 'WWW-Authenticate': { $ref: '#/components/headers/WwwAuthenticate' } },
  '409': { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } },
  '429': { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } },
  '503': { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } },
};

export const headerComponents = {
  DecisionId: {
    description:
      'The stored decision behind the refusal: `GET /api/v1/redemption-decisions/{uuid}/`. Left out when none is kept.',
    schema: { type: 'string', format: 'uuid' },
    example: '019730fb-3a8e-7c1d-9f50-5e6d1c0b7a42',
  },
  RetryAfter: {
    description: 'Seconds after which a retry can succeed.',
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  WwwAuthenticate: {
    description: 'How to authenticate.',
    schema: { type: 'string' },
    example: 'JWT realm="api"',
  },
};

interface Failure {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  /** Null for a reply without a body. */
  readonly schema: Json | null;
  readonly example: unknown;
  /** Whether it can name the decision that refused. */
  readonly hasDecision?: boolean;
  /** Whether every operation answers with the very same. */
  readonly isCommon: boolean;
}

const FIELD_EXAMPLE = { content_key: ['This field is required.'] };

const detailsOf = ({ details }: ErrorSpec): Json =>
  z.toJSONSchema(details, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    },
  }) as Json;

const failureOf = (operation: Operation, spec: ErrorSpec): Failure => ({
  ...bodyOf(operation, spec),
  hasDecision: 'decisionUuid' in (shapeOf(spec.details) ?? {}),
});

function bodyOf(operation: Operation, spec: ErrorSpec): Failure {
  const { code, status, message } = spec;
  const form = operation.legacy.errors?.[code];
  if (form) {
    if (form.body instanceof z.ZodUndefined)
      return { code, status, message, schema: null, example: undefined, isCommon: false };
    const details = code === invalidInput.code ? { fields: FIELD_EXAMPLE } : exampleOf(detailsOf(spec));
    const example = form.encode(details as never, message);
    return { code, status, message, schema: bodySchema(form.body), example, isCommon: false };
  }
  if (code === invalidInput.code) {
    const example = FIELD_EXAMPLE;
    const schema = { ...fieldErrors, description: FIELD_ERRORS_SAYS };
    return { code, status, message, schema, example, isCommon: true };
  }
  return { code, status, message, schema: errorDetail, example: { detail: message }, isCommon: isCommon(spec) };
}

const isCommon = (spec: ErrorSpec): boolean => commonErrors.some((each) => each === spec || each.code === spec.code);

const undeclared = ({ code, status, message }: Undeclared): Failure => ({
  code,
  status,
  message,
  schema: status === 500 ? internalError : errorDetail,
  example: status === 500 ? { detail: 'Internal error', request_id: 'a3f1' } : { detail: message },
  isCommon: true,
});

const isOfKeys = ({ code }: ErrorSpec): boolean => code.startsWith('idempotency');

/** All failures of an operation, with the bodies that callers actually get. */
function failuresOf(operation: Operation, hasBody: boolean): Failure[] {
  const { contract } = operation;
  const common = commonErrors.filter((spec) => contract.kind === 'mutation' || !isOfKeys(spec));
  const specs = new Map([...contract.errors, ...common].map((spec) => [spec.code, spec]));
  return [
    ...[...specs.values()].map((spec) => failureOf(operation, spec)),
    ...(hasBody ? ofBodies.map(undeclared) : []),
    undeclared(headersTooLong),
    undeclared(serverError),
  ];
}

/** Flattens unions: a nested union would become a separate type in generated clients. */
const optionsOf = (json: Json): readonly Json[] => (json.anyOf as Json[] | undefined) ?? [json];

/**
 * If a status can come without a body, it is documented without content, because clients that expect JSON fail on an
 * empty reply. The schema of its other bodies is in `x-may-have-body`.
 */
function response(status: string, failures: readonly Failure[], names: SchemaNames): Json {
  const isSilent = failures.some(({ schema }) => schema === null);
  return compact({
    description: failures
      .map(({ code, message, schema }) => `\`${code}\`: ${message}${schema === null ? ' Without a body.' : ''}`)
      .join('\n\n'),
    headers: headersOf(status, failures),
    content: isSilent ? undefined : contentOf(failures, names),
    'x-may-have-body': isSilent ? contentOf(failures, names) : undefined,
  });
}

function headersOf(status: string, failures: readonly Failure[]): Json | undefined {
  if (!failures.some(({ hasDecision }) => hasDecision)) return responseHeaders[status];
  return { ...responseHeaders[status], 'X-Decision-Id': { $ref: '#/components/headers/DecisionId' } };
}

function contentOf(failures: readonly Failure[], names: SchemaNames): Json | undefined {
  const options = failures.flatMap(({ schema }) => (schema === null ? [] : optionsOf(names.refer(schema))));
  const bodies = [...new Map(options.map((json) => [JSON.stringify(json), json])).values()];
  if (bodies.length === 0) return undefined;
  const examples = failures
    .filter(({ schema }) => schema !== null)
    .map(({ code, message, example }) => [code, { summary: message, value: example }]);
  return {
    'application/json': {
      schema: bodies.length === 1 ? bodies[0] : { anyOf: bodies },
      examples: Object.fromEntries(examples),
    },
  };
}

/** Builds the failure responses of operations; responses that are common to all operations are defined once. */
export class Failures {
  readonly #shared = new Map<string, Json>();
  readonly #names: SchemaNames;

  constructor(names: SchemaNames) {
    this.#names = names;
  }

  /** The failures of an operation by status. */
  of(operation: Operation, hasBody: boolean): Json {
    const byStatus = Map.groupBy(failuresOf(operation, hasBody), ({ status }) => String(status));
    return Object.fromEntries(
      [...byStatus].map(([status, failures]) => {
        const body = response(status, failures, this.#names);
        if (!failures.every((failure) => failure.isCommon)) return [status, body];
        const name = pascalCase(failures[0]?.code ?? '');
        this.#shared.set(name, body);
        return [status, { $ref: `#/components/responses/${name}` }];
      }),
    );
  }

  shared(): Record<string, Json> {
    return Object.fromEntries(this.#shared);
  }
}
