import {
  type Call,
  type Composition,
  callOfProcedure,
  type DomainError,
  domainErrorOf,
  INTERNAL_ERROR,
  invalidInput,
  type LegacyReply,
  type Operation,
  queryDecoder,
  type RestRequest,
  type RpcContext,
  snakeCase,
  throttled,
  unwrapInput,
  wireCodec,
} from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { z } from 'zod';
import { serializerOf } from '../serializer.ts';

export interface RestOptions {
  readonly service: Pick<Composition, 'appRouter' | 'operations'>;
  readonly contextOf: (request: FastifyRequest) => RpcContext;
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
  const pathFields = inPath.map((name) => {
    const field = shape[name];
    return { name, decode: field ? queryDecoder(unwrapInput(field)) : (text: string) => text };
  });
  const oldNames = Object.entries(legacy.query ?? {}).map(([name, { field, isList = false }]) => {
    const schema = shape[field];
    return { name, field, isList, decode: queryDecoder(unwrapInput(schema ?? contract.input)) };
  });
  /** What the query string says by its old names. An empty value says nothing; of several about one field, all hold. */
  const addOldNames = (input: Unsafe, given: Record<string, string | string[]>): void => {
    const said = new Map<string, unknown>();
    for (const { name, field, isList, decode } of oldNames) {
      if (given[name] === undefined) continue;
      delete input[field];
      const texts = [given[name]].flat();
      const values = (isList ? texts.flatMap((text) => text.split(',')) : texts.slice(-1)).filter(
        (text) => text !== '',
      );
      if (values.length === 0) continue;
      const [known, value] = [said.get(field), decode(values)];
      const both = Array.isArray(known) && Array.isArray(value) ? known.filter((each) => value.includes(each)) : value;
      said.set(field, both);
    }
    Object.assign(input, Object.fromEntries(said));
  };
  const body = wireCodec(contract.input);

  const addQuery = (input: Unsafe, given: Record<string, string | string[]>): void => {
    for (const [name, text] of Object.entries(given)) {
      const field = query.get(name);
      if (field) input[field.name] = field.decode(text);
    }
  };
  // What the path says wins over query and body.
  const addPath = <T extends Unsafe>(input: T, params: Record<string, string>): T => {
    for (const { name, decode } of pathFields) (input as Unsafe)[name] = decode(params[name] ?? '');
    return input;
  };

  return (request) => {
    const params = request.params as Record<string, string>;
    const input: Unsafe = {};
    if (method === 'GET') {
      addQuery(input, request.query as Record<string, string | string[]>);
      addOldNames(input, request.query as Record<string, string | string[]>);
      return addPath(input, params);
    }
    addOldNames(input, request.query as Record<string, string | string[]>);
    if (request.body === undefined || request.body === null) return addPath(input, params);
    const decoded = body.decode(request.body);
    // A body that is no object goes on as a list, which no contract accepts: who may not call is told that first.
    if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded))
      return addPath([] as unknown as Unsafe, params);
    return addPath(Object.assign(decoded as Unsafe, input), params);
  };
}

interface Compiled {
  readonly operation: Operation;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

type Answer = (reply: FastifyReply, output: unknown, asked: RestRequest) => FastifyReply;

/** Writes the reply of a success: in the form of the old services where there was one, otherwise the output as it is. */
function answerOf({ contract, legacy }: Operation): Answer {
  const status = contract.rest.status ?? 200;
  if (status === 204) return (reply) => reply.code(204).send();
  const form: LegacyReply<unknown> | undefined = legacy.reply as LegacyReply<unknown> | undefined;
  const encode = form?.encode ?? wireCodec(contract.output).encode;
  const write = form ? serializerOf(form.body) : serializerOf(contract.output, snakeCase);
  return (reply, output, asked) => {
    const body = encode(output, asked);
    reply.code(form?.status?.(output) ?? status);
    if (body === undefined) return reply.send();
    const otherType = form?.contentType?.(output) ?? null;
    return otherType === null ? reply.type(JSON_TYPE).send(write(body)) : reply.type(otherType).send(body);
  };
}

function compile(operation: Operation, options: RestOptions): Compiled {
  const { id } = operation;
  const call = callOf(options.service, id);
  const read = inputReader(operation);
  const answer = answerOf(operation);
  return {
    operation,
    async handler(request, reply) {
      const ctx = options.contextOf(request);
      const { settings } = ctx.runtime;
      const output = await call(ctx, id, read(request));
      return answer(reply, output, {
        settings,
        // Few replies hold links, and reading an address costs more than writing a small reply.
        get url() {
          const url = new URL(settings.publicUrl);
          // A request line may hold a whole address: its host is the sender's choice.
          const { pathname, search } = new URL(request.originalUrl, url);
          return Object.assign(url, { pathname, search });
        },
      });
    },
  };
}

/** The same call thover tRPC makes, without the proxies of a caller. */
function callOf(service: RestOptions['service'], id: string): Call {
  const procedures = service.appRouter._def.procedures as unknown as Readonly<Record<string, object>>;
  const found = procedures[id];
  if (!found) throw new Error(`There is a contract but no procedure named ${id}.`);
  return callOfProcedure(found);
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
  if (form) {
    const body = form.encode(error.details as never, error.message);
    // A body that is a bare string is JSON too; some replies have none.
    return body === undefined ? reply.send() : reply.type('application/json').send(JSON.stringify(body));
  }
  if (error.spec.code === invalidInput.code) return reply.send((error.details as { fields: unknown }).fields);
  return reply.send({ detail: error.message });
}

/** Statuses of Fastify's own refusals, in the words of the old services. */
function sendFrameworkError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: { statusCode?: number; message: string },
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
      detail: /JSON/.test(error.message) ? 'JSON parse error - the body is not valid JSON.' : error.message,
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
  return sendFrameworkError(request, reply, inner as { statusCode?: number; message: string });
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

/** The REST bridge: a native route per operation, compiled when the server starts. */
export async function rest(app: FastifyInstance, options: RestOptions): Promise<void> {
  const parse = app.getDefaultJsonParser('error', 'error');
  // Clients that set the type for every request send it without a body too.
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null);
    else parse(request, text, done);
  });
  const byPath = new Map<string, Compiled[]>();
  for (const operation of options.service.operations) {
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
