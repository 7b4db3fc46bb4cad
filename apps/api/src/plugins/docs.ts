import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { openApiDocument } from '../openapi/document.ts';

/**
 * The page loads nothing from other origins. No `upgrade-insecure-requests`, because it is also served over plain
 * HTTP.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'base-uri': "'self'",
  'frame-ancestors': "'self'",
  'object-src': "'none'",
  'script-src-attr': "'none'",
};

/** Made once: all applications of a process serve the same. */
let made: ReturnType<typeof openApiDocument> | undefined;

/** The machine-readable document and a page to read it. */
export async function docs(app: FastifyInstance): Promise<void> {
  made ??= openApiDocument();
  const document = made;
  const text = JSON.stringify(document);
  app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(text));
  await app.register(helmet, { global: true });
  await app.register(swagger, { mode: 'static', specification: { document: document as never } });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: PAGE_POLICY });
}
