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
  type RestRequest,
  type RpcContext,
  snakeCase,
  throttled,
  timesAsText,
  wireCodec,
} from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { z } from 'zod';
import { serializerOf } from '../serializer.ts';
import { inputReader } from './rest-input.ts';
import { rewording } from './rest-refusals.ts';

export interface RestOptions {
  readonly service: Pick<Composition, 'appRouter' | 'operations'>;
  readonly contextOf: (request: FastifyRequest) => RpcContext;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const PLACEHOLDER = /\{(\w+)\}/g;

interface Compiled {
  readonly operation: Operation;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

type Answer = (reply: FastifyReply, output: unknown, asked: RestRequest) => FastifyReply;

/** The body of a reply, in the names of the wire and with times as text. */
function encoderOf(form: LegacyReply<unknown> | undefined, output: z.ZodType): LegacyReply<unknown>['encode'] {
  if (!form) return wireCodec(output).encode;
  const withTexts = timesAsText(form.body);
  return (value, asked) => {
    const body = form.encode(value, asked);
    return body === undefined || typeof body === 'string' ? body : withTexts(body);
  };
}

/** Writes the reply of a success: in the form of the old services where there was one, otherwise the output as it is. */
function answerOf({ contract, legacy }: Operation): Answer {
  const status = contract.rest.status ?? 200;
  if (status === 204) return (reply) => reply.code(204).send();
  const form: LegacyReply<unknown> | undefined = legacy.reply as LegacyReply<unknown> | undefined;
  const encode = encoderOf(form, contract.output);
  const write = form ? serializerOf(form.body) : serializerOf(contract.output, snakeCase);
  return (reply, output, asked) => {
    const body = encode(output, asked);
    reply.code(form?.status?.(output) ?? status);
    if (body === undefined) return reply.send();
    const otherType = form?.contentType?.(output) ?? null;
    return otherType === null ? reply.type(JSON_TYPE).send(write(body)) : reply.type(otherType).send(body);
  };
}

/** The last page of a list whose first page is known. */
function lastPage(first: unknown, ask: (page: number) => Promise<unknown>): Promise<unknown> | unknown {
  const { count, pageSize } = first as { count: number; pageSize: number };
  const pages = Math.ceil(count / pageSize);
  return pages > 1 ? ask(pages) : first;
}

function compile(operation: Operation, options: RestOptions): Compiled {
  const { id } = operation;
  const call = callOf(options.service, id);
  const read = inputReader(operation);
  const reword = rewording(operation);
  const run = async (ctx: RpcContext, request: FastifyRequest): Promise<unknown> => {
    const { input, flaw, isLastPage } = read(request);
    try {
      const output = await call(ctx, id, input);
      return isLastPage ? await lastPage(output, (page) => call(ctx, id, { ...input, page })) : output;
    } catch (error) {
      throw reword(error, { request, input, flaw });
    }
  };
  const answer = answerOf(operation);
  return {
    operation,
    async handler(request, reply) {
      const ctx = options.contextOf(request);
      const { settings } = ctx.runtime;
      const output = await run(ctx, request);
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
  // Free-form JSON may have fields of any name. Only own fields are made of them, and nothing here merges objects deeply.
  const parse = app.getDefaultJsonParser('ignore', 'ignore');
  // Clients that set the type for every request send it without a body too.
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, undefined);
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
