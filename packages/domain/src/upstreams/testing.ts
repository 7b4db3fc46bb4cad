import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Sandbox } from '@enterprise-access/sandbox';
import type { Cache } from '../kernel/cache/cache.ts';
import type { Reservations } from '../kernel/ports/ledger.ts';
import { type Upstream, upstream } from './http.ts';
import type { TokenSource } from './token.ts';

/** A request that a fake service received. */
export interface ReceivedRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answer of a fake service: a status with a body, or a custom handler. */
export type Answer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | ((response: ServerResponse) => void);

/** A fake service that returns the given answers in order, and then repeats the last one. */
export async function startService(...answers: Answer[]) {
  const asked: ReceivedRequest[] = [];
  const server = createServer(async (request, response) => {
    asked.push({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: await text(request),
    });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new Error('There is no answer.');
    if (typeof answer === 'function') return answer(response);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Replaces the answers. */
    answer(...next: Answer[]) {
      answers.splice(0, answers.length, ...next);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A token source that returns the given tokens in order; discarding one moves on to the next. */
export function tokens(...all: string[]): TokenSource & { readonly discarded: string[] } {
  const discarded: string[] = [];
  return {
    discarded,
    get: async () => all[Math.min(discarded.length, all.length - 1)] ?? '',
    discard: (token) => {
      discarded.push(token);
    },
  };
}

/** A client for one of the sandbox's services. */
export const clientOf = (sandbox: Sandbox, service: 'lms' | 'catalog' | 'subsidy'): Upstream =>
  upstream({ service, baseUrl: `${sandbox.url}/${service}`, token: tokens('x.y.z') });

/** Calls the sandbox's control API. */
export async function control(sandbox: Sandbox, method: string, path: string, body?: unknown): Promise<unknown> {
  const reply = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: { authorization: 'JWT x.y.z', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${await reply.text()}`);
  const answer = await reply.text();
  return answer === '' ? null : JSON.parse(answer);
}

/** Number of requests to the sandbox with this path prefix. */
export async function requestsTo(sandbox: Sandbox, prefix: string): Promise<number> {
  const { total } = (await control(sandbox, 'GET', `/control/requests?path=${prefix}`)) as { total: number };
  return total;
}

/** Reservations without assignments. */
export const nothingReserved: Reservations = {
  of: async () => new Map(),
  add: async () => true,
  remove: async () => undefined,
};

/** A cache that stores nothing. */
export const noCache: Cache = { wrap: (_kind, _id, load) => load(), forget: () => undefined };
