import {
  appRouter,
  type DomainError,
  domainErrorOf,
  INTERNAL_ERROR,
  invalidInput,
  type Operation,
  operations,
  queryDecoder,
  type RpcContext,
  snakeCase,
  throttled,
  unwrapInput,
  wireCodec,
} from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { z } from 'zod';

export interface RestOptions {
  readonly contextOf: (request: FastifyRequest) => Promise<RpcContext>;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const PLACEHOLDER = /\{(\w+)\}/g;

type Unsafe = Record<string, unknown>;

/** Turns a request into the contract's input, without judging it: that is the procedure's task, after permission. */
function inputReader({ contract, legacy }: Operation): (request: FastifyRequest) => Unsafe {
  const { path, method } = contract.rest;
  const inPath = [...path.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
  const shape = contract.input.shape as Record<string, z.ZodType>;
  const query = new Map(
    Object.entries(shape)
      .filter(([name]) => !inPath.includes(name))
      .map(([name, field]) => [snakeCase(name), { name, decode: queryDecoder(unwrapInput(field)) }]),
  );
  const pathDecoders = inPath.map((name) => {
    const field = shape[name];
    return [name, field ? queryDecoder(unwrapInput(field)) : (text: string) => text] as const;
  });
  const oldNames = Object.entries(legacy.query ?? {}).map(([name, { field, isList = false }]) => {
    const schema = shape[field];
    return { name, field, isList, decode: schema ? queryDecoder(unwrapInput(schema)) : (text: unknown) => text };
  });
  /** What the query string says by its old names. */
  const fromOldNames = (given: Record<string, string | string[]>): Unsafe => {
    const found: Unsafe = {};
    for (const { name, field, isList, decode } of oldNames) {
      const text = given[name];
      if (text === undefined) continue;
      const values = isList ? [text].flat().flatMap((each) => each.split(',').filter((item) => item !== '')) : text;
      found[field] = isList && values.length === 0 ? [] : decode(values as string | string[]);
    }
    return found;
  };
  const body = wireCodec(contract.input);
  return (request) => {
    const params = request.params as Record<string, string>;
    const named = Object.fromEntries(pathDecoders.map(([name, decode]) => [name, decode(params[name] ?? '')]));
    if (method === 'GET') {
      const given: Unsafe = {};
      for (const [name, text] of Object.entries(request.query as Record<string, string | string[]>)) {
        const field = query.get(name);
        if (field) given[field.name] = field.decode(text);
      }
      return { ...given, ...fromOldNames(request.query as Record<string, string | string[]>), ...named };
    }
    const old = oldNames.length === 0 ? {} : fromOldNames(request.query as Record<string, string | string[]>);
    if (request.body === undefined || request.body === null) return { ...old, ...named };
    const decoded = body.decode(request.body);
    if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded)) {
      // A body that is no object goes on as a list, which no contract accepts: who may not call is told that first.
      return Object.assign([], named) as unknown as Unsafe;
    }
    return { ...decoded, ...old, ...named };
  };
}

interface Compiled {
  readonly operation: Operation;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

function compile(operation: Operation, options: RestOptions): Compiled {
  const { contract, legacy, id } = operation;
  const procedure = procedureOf(id);
  const read = inputReader(operation);
  const encode = wireCodec(contract.output).encode;
  const status = contract.rest.status ?? 200;
  const legacyReply = legacy.reply;
  return {
    operation,
    async handler(request, reply) {
      const ctx = await options.contextOf(request);
      const input = read(request);
      const output = await procedure({
        ctx,
        path: id,
        type: contract.kind,
        signal: undefined,
        batchIndex: 0,
        getRawInput: async () => input,
      });
      if (!legacyReply) {
        if (status === 204) return reply.code(204).send();
        return reply.code(status).send(encode(output));
      }
      const url = new URL(request.originalUrl, ctx.runtime.settings.publicUrl);
      const body = legacyReply.encode(output as never, { url, settings: ctx.runtime.settings });
      const type = legacyReply.contentType?.(output as never) ?? null;
      reply.code(legacyReply.status?.(output as never) ?? status);
      return type === null ? reply.send(body) : reply.type(type).send(body);
    },
  };
}

type Procedure = (call: {
  ctx: RpcContext;
  path: string;
  type: 'query' | 'mutation';
  signal: AbortSignal | undefined;
  batchIndex: number;
  getRawInput: () => Promise<unknown>;
}) => Promise<unknown>;

/** The same procedure that the tRPC door calls, without the proxies of a caller. */
function procedureOf(id: string): Procedure {
  const procedures = appRouter._def.procedures as unknown as Readonly<Record<string, Procedure>>;
  const found = procedures[id];
  if (!found) throw new Error(`There is a contract but no procedure named ${id}.`);
  return found;
}

const fastifyPath = (path: string): string => path.replace(PLACEHOLDER, ':$1');

/** A declared failure in the form that REST callers know. */
export function sendDomainError(reply: FastifyReply, error: DomainError, operation?: Operation) {
  const form = operation?.legacy.errors?.[error.spec.code];
  reply.code(error.spec.status);
  if (error.spec.status === 401) reply.header('WWW-Authenticate', 'JWT realm="api"');
  if (error.spec.code === throttled.code)
    reply.header('Retry-After', String((error.details as { retryAfterSeconds: number }).retryAfterSeconds));
  if (error.spec.status === 503) reply.header('Retry-After', '1');
  // A body that is a bare string is JSON too.
  if (form)
    return reply.type('application/json').send(JSON.stringify(form.encode(error.details as never, error.message)));
  if (error.spec.code === invalidInput.code) return reply.send((error.details as { fields: unknown }).fields);
  return reply.send({ detail: error.message });
}

/** Statuses of Fastify's own refusals, in the words of the old services. */
function sendFrameworkError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: { statusCode?: number; code?: string; message: string },
) {
  const status = error.statusCode ?? 500;
  if (status === 415)
    return reply
      .code(415)
      .send({ detail: `Unsupported media type "${request.headers['content-type'] ?? ''}" in request.` });
  if (status === 413) return reply.code(413).send({ detail: 'Request body is too large.' });
  if (status === 429) return reply.code(429).send({ detail: error.message });
  if (status >= 400 && status < 500)
    return reply.code(status).send({
      detail:
        error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || /JSON/.test(error.message)
          ? 'JSON parse error - the body is not valid JSON.'
          : error.message,
    });
  request.log.error({ err: error }, 'request failed');
  return reply.code(500).send({ detail: INTERNAL_ERROR, request_id: request.id });
}

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply, operation?: Operation) {
  const domain = domainErrorOf(error);
  const isDeclared = domain && (!operation || isExpected(domain, operation));
  if (domain && isDeclared) {
    if (domain.spec.status >= 500) request.log.warn({ err: domain }, 'answered with a declared failure');
    return sendDomainError(reply, domain, operation);
  }
  const inner =
    error instanceof Error && error.cause instanceof Error && !('statusCode' in error) ? error.cause : error;
  return sendFrameworkError(request, reply, inner as { statusCode?: number; code?: string; message: string });
}

const COMMON = new Set([
  'not_authenticated',
  'invalid_token',
  'permission_denied',
  'invalid_input',
  'not_found',
  'throttled',
  'upstream_unavailable',
  'idempotency_key_reused',
  'idempotency_key_in_use',
]);
const isExpected = (error: DomainError, operation: Operation): boolean =>
  COMMON.has(error.spec.code) || operation.contract.errors.some(({ code }) => code === error.spec.code);

/** The REST door: a native route per operation, compiled when the server starts. */
export async function rest(app: FastifyInstance, options: RestOptions): Promise<void> {
  const byPath = new Map<string, Compiled[]>();
  for (const operation of operations) {
    const path = fastifyPath(operation.contract.rest.path).replace(/\/$/, '');
    byPath.set(path, [...(byPath.get(path) ?? []), compile(operation, options)]);
  }
  for (const [path, compiled] of byPath) {
    const allowed = new Set<string>();
    for (const { operation, handler } of compiled) {
      const { method, alsoMethods = [] } = operation.contract.rest;
      for (const each of [method, ...alsoMethods]) {
        allowed.add(each);
        app.route({
          method: each as HTTPMethods,
          url: path,
          handler,
          errorHandler: (error, request, reply) => handleError(error, request, reply, operation),
          config: { operation: operation.id },
        });
      }
    }
    const others = METHODS.filter((method) => !allowed.has(method));
    app.route({
      method: [...others],
      url: path,
      handler: (request, reply) =>
        reply
          .code(405)
          .header('Allow', [...allowed].join(', '))
          .send({ detail: `Method "${request.method}" not allowed.` }),
    });
  }
}
