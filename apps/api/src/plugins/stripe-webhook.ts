import { type Runtime, receiveStripeEvent, WebhookRefused } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { methodNotAllowed } from './admission.ts';
import { handleError } from './rest.ts';

/** Events of Stripe are far smaller; an invoice with very many lines is the largest. */
const LIMIT_BYTES = 2.5 * 1024 * 1024;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const NO_SIGNATURE = 'Missing Stripe signature header';

const signatureOf = ({ headers: { 'stripe-signature': given } }: FastifyRequest): string | undefined =>
  typeof given === 'string' && given !== '' ? given : undefined;

const refuse = (reply: FastifyReply, detail: string) => reply.code(403).send({ detail });

/**
 * Stripe's webhook, on REST only: the signature is of the bytes of the body, so no parser may touch them. The event is
 * stored and acknowledged; a job handles it.
 */
export async function stripeWebhook(app: FastifyInstance, { runtime }: { readonly runtime: Runtime }): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LIMIT_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  app.route({
    method: [...METHODS],
    url: '/api/v1/customer-billing/stripe-webhook',
    bodyLimit: LIMIT_BYTES,
    // Before the body is read; the old service checked the signature before the method, too.
    onRequest: (request, reply, done) => {
      if (signatureOf(request) === undefined) refuse(reply, NO_SIGNATURE);
      else if (request.method !== 'POST') methodNotAllowed(request, reply, ['POST']);
      else done();
    },
    errorHandler: (error, request, reply) =>
      error instanceof WebhookRefused ? refuse(reply, error.message) : handleError(error, request, reply),
    handler: async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      await receiveStripeEvent(runtime, body, signatureOf(request));
      return reply.code(200).send();
    },
    config: { operation: 'billing.stripeWebhook' },
  });
}
