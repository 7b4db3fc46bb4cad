import { withRequestId } from '@enterprise-access/domain';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/**
 * What a browser must know about replies that are data and no page (OWASP REST Security Cheat Sheet): they are not
 * stored, guessed at, framed or allowed to load anything. Pages get theirs from helmet, where they are served. A
 * constant, because helmet builds its dozen headers anew for each reply, which cost more than routing and parsing.
 */
const DATA_ONLY = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Headers of every reply, and the request's id for whatever is called on its behalf. */
export const headers = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).headers(DATA_ONLY);
    withRequestId(request.id, done);
  });
});
