import { Readable } from 'node:stream';
import { isRetryable } from '@enterprise-access/db';
import {
  type Call,
  type Composition,
  callOfProcedure,
  clipped,
  commonErrors,
  DEFAULT_BODY_LIMIT_BYTES,
  type DomainError,
  databaseUnavailable,
  domainErrorOf,
  INTERNAL_ERROR,
  invalidInput,
  type LegacyReply,
  type Operation,
  publicUrlOf,
  type RestRequest,
  type RpcContext,
  snakeCase,
  timesAsText,
  wireCodec,
} from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { z } from 'zod';
import { serializerOf } from '../serializer.ts';
import { methodNotAllowed, requireActor } from './admission.ts';
import { decisionIdOf } from './decision-id.ts';
import { inputReader } from './rest-input.ts';
import { rewording } from './rest-refusals.ts';
import { retryAfterSeconds } from './retry-after.ts';

export interface RestOptions {
  readonly service: Pick<Composition, 'appRouter' | 'operations'>;
  readonly contextOf: (request: FastifyRequest) => RpcContext;
}

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'];
const PLACEHOLDER = /\{(\w+)\}/g;

interface Compiled {
  readonly operation: Operation;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

type Answer = (reply: FastifyReply, output: unknown, asked: RestRequest) => FastifyReply;

/** Encodes the body of a reply: wire names, and times as strings. */
function encoderOf(form: LegacyReply<unknown> | undefined, output: z.ZodType): LegacyReply<unknown>['encode'] {
  if (!form) return wireCodec(output).encode;
  const withTexts = timesAsText(form.body);
  return (value, asked) => {
    const body = form.encode(value, asked);
    return body === undefined || typeof body === 'string' ? body : withTexts(body);
  };
}

/** Builds the success reply: in the format of the old services if there is one, otherwise the output itself. */
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

type Following = (more: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** A text in parts, as one JSON string. */
async function* textInParts(
  form: Required<Pick<LegacyReply, 'encode' | 'following'>>,
  first: unknown,
  asked: RestRequest,
  next: Following,
): AsyncGenerator<string> {
  yield '"';
  for (let part = first; ; ) {
    yield JSON.stringify(form.encode(part, asked)).slice(1, -1);
    const more = form.following(part);
    if (more === null) break;
    part = await next(more);
  }
  yield '"';
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
  const form = operation.legacy.reply as LegacyReply<unknown> | undefined;
  const run = async (ctx: RpcContext, request: FastifyRequest): Promise<unknown> => {
    const { input, problem, isLastPage } = read(request);
    try {
      const output = await call(ctx, id, input);
      return isLastPage ? await lastPage(output, (page) => call(ctx, id, { ...input, page })) : output;
    } catch (error) {
      throw reword(error, { request, input, problem });
    }
  };
  const answer = answerOf(operation);
  const isMutation = operation.contract.kind === 'mutation';
  return {
    operation,
    async handler(request, reply) {
      const ctx = options.contextOf(request);
      const { settings } = ctx.runtime;
      const output = await run(ctx, request);
      const asked = {
        settings,
        // Few replies hold links, and reading an address costs more than writing a small reply.
        get url() {
          return publicUrlOf(settings, request.originalUrl);
        },
      };
      try {
        if (form?.following === undefined) return answer(reply, output, asked);
        const { following, encode } = form;
        const next: Following = (more) => call(ctx, id, { ...read(request).input, ...more });
        const parts = textInParts({ encode, following }, output, asked, next);
        return reply.type(form.contentType?.(output) ?? JSON_TYPE).send(Readable.from(parts, { objectMode: false }));
      } catch (err) {
        if (!isMutation || reply.sent) throw err;
        // It is committed: a failure would say that nothing was done.
        request.log.error({ err, operation: id }, 'the reply of a committed mutation could not be written');
        return reply.type(JSON_TYPE).send('{}');
      }
    },
  };
}

/** The same call that the tRPC procedure makes, without the proxies of a tRPC caller. */
function callOf(service: RestOptions['service'], id: string): Call {
  const procedures = service.appRouter._def.procedures as unknown as Readonly<Record<string, object>>;
  const found = procedures[id];
  if (!found) throw new Error(`There is a contract but no procedure named ${id}.`);
  return callOfProcedure(found);
}

const fastifyPath = (path: string): string => path.replace(PLACEHOLDER, ':$1');

/** Sends a declared error in the format of REST callers. */
export function sendDomainError(reply: FastifyReply, error: DomainError, operation?: Operation) {
  const form = operation?.legacy.errors?.[error.spec.code];
  reply.code(error.spec.status);
  if (error.spec.status === 401) reply.header('WWW-Authenticate', 'JWT realm="api"');
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== null) reply.header('Retry-After', String(retryAfter));
  const decision = decisionIdOf(error);
  if (decision !== null) reply.header('X-Decision-Id', decision);
  if (form) {
    const body = form.encode(error.details as never, error.message);
    // A bare string is sent as JSON; some replies have no body.
    return body === undefined ? reply.send() : reply.type('application/json').send(JSON.stringify(body));
  }
  if (error.spec.code === invalidInput.code) return reply.send((error.details as { fields: unknown }).fields);
  return reply.send({ detail: error.message });
}

/** Sends Fastify's own errors with the messages of the old services. */
function sendFrameworkError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: { statusCode?: number; message: string },
  operation?: Operation,
) {
  const status = error.statusCode ?? 500;
  const unreadable = operation?.legacy.unreadable;
  const isMalformed = /not valid JSON/.test(error.message);
  if (unreadable && (status === 415 || isMalformed)) return reply.code(400).send(unreadable);
  if (status === 415)
    return reply
      .code(415)
      .send({ detail: `Unsupported media type "${clipped(request.headers['content-type'] ?? '')}" in request.` });
  if (status >= 400 && status < 500)
    return reply.code(status).send({
      detail: isMalformed ? 'JSON parse error - the body is not valid JSON.' : error.message,
    });
  request.log.error({ err: error }, 'request failed');
  return reply.code(500).send({ detail: INTERNAL_ERROR, request_id: request.id });
}

/** Database outages are logged once as a whole by the connection pool. */
const isOutage = ({ spec, cause }: DomainError): boolean =>
  spec.code === databaseUnavailable.code && !isRetryable(cause);

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply, operation?: Operation) {
  const domain = domainErrorOf(error);
  const isDeclared = domain && (!operation || isExpected(domain, operation));
  if (domain && isDeclared) {
    if (domain.spec.status >= 500 && !isOutage(domain))
      request.log.warn({ err: domain }, 'answered with a declared error');
    return sendDomainError(reply, domain, operation);
  }
  const inner =
    error instanceof Error && error.cause instanceof Error && !('statusCode' in error) ? error.cause : error;
  return sendFrameworkError(request, reply, inner as { statusCode?: number; message: string }, operation);
}

const COMMON: ReadonlySet<string> = new Set(commonErrors.map(({ code }) => code));
const isExpected = (error: DomainError, operation: Operation): boolean =>
  COMMON.has(error.spec.code) || operation.contract.errors.some(({ code }) => code === error.spec.code);

/** The REST transport: one Fastify route per operation, compiled when the server starts. */
export async function rest(app: FastifyInstance, options: RestOptions): Promise<void> {
  // `__proto__` and `constructor` are allowed as field names: they become own properties, and nothing here merges
  // objects deeply.
  const parse = app.getDefaultJsonParser('ignore', 'ignore');
  app.addContentTypeParser('application/json', (request, payload, done) => {
    const limit = request.routeOptions.config.bodyLimitBytes ?? DEFAULT_BODY_LIMIT_BYTES;
    app.readJson(request, payload, limit).then((text) => {
      // Some clients send a content type without a body.
      if (text === '') done(null, undefined);
      else parse(request, text, done);
    }, done);
  });
  const byPath = new Map<string, Compiled[]>();
  for (const operation of options.service.operations) {
    const path = fastifyPath(operation.contract.rest.path).replace(/\/$/, '');
    byPath.set(path, [...(byPath.get(path) ?? []), compile(operation, options)]);
  }
  for (const [path, compiled] of byPath) {
    const allowed = new Set<HTTPMethods>();
    for (const { operation, handler } of compiled) {
      const { method, alsoMethods = [] } = operation.contract.rest;
      for (const each of [method, ...alsoMethods]) {
        allowed.add(each as HTTPMethods);
        app.route({
          method: each as HTTPMethods,
          url: path,
          ...(operation.contract.permission.open === 'anyone' ? {} : { onRequest: requireActor }),
          handler,
          errorHandler: (error, request, reply) => handleError(error, request, reply, operation),
          config: { operation: operation.id, bodyLimitBytes: operation.contract.bodyLimitBytes },
        });
      }
    }
    app.route({
      // The router answers HEAD for every GET route.
      method: METHODS.filter((method) => !allowed.has(method === 'HEAD' ? 'GET' : method)),
      url: path,
      // Before the body is read.
      onRequest: (request, reply, _done) => void methodNotAllowed(request, reply, allowed),
      handler: (request, reply) => methodNotAllowed(request, reply, allowed),
    });
  }
}
