import { withRequestId } from '@enterprise-access/domain';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/**
 * Security headers of JSON replies (OWASP REST Security Cheat Sheet): no storing, sniffing, framing or loading. Pages
 * get theirs from helmet. This is a constant because helmet builds its headers again for each reply, which cost more
 * than routing and parsing.
 */
const DATA_ONLY = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Sets the headers of every reply, and the request id that is passed on to other services. */
export const headers = fp(async (app: FastifyInstance) => {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).headers(DATA_ONLY);
    withRequestId(request.id, done);
  });
});
