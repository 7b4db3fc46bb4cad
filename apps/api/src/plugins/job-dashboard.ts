import { createHash } from 'node:crypto';
import { notAuthenticated, permissionDenied } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { openDashboard } from './job-dashboard-library.ts';

const DASHBOARD_PATH = '/jobs';

export interface JobDashboardOptions {
  /** PostgreSQL database of the job queues. */
  readonly jobsDatabaseUrl: string;
}

const INLINE_SCRIPT = /<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g;

/** Content security policy that allows only the page's own inline scripts, by digest, and no other origins. */
function policyOf(html: string): string {
  const digests = [...html.matchAll(INLINE_SCRIPT)].map(
    ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  );
  return [
    "default-src 'self'",
    `script-src 'self' ${[...new Set(digests)].join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join(';');
}

function requestOf(request: FastifyRequest): Request {
  const url = new URL(request.originalUrl, `${request.protocol}://${request.host}`);
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // The caller is authorized at this point: the dashboard does not need the token.
    if (typeof value === 'string' && name !== 'authorization' && name !== 'content-length') headers.set(name, value);
  }
  const body = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : null;
  return new Request(url, { method: request.method, headers, body });
}

async function answer(reply: FastifyReply, response: Response): Promise<FastifyReply> {
  if (!response.headers.get('content-type')?.startsWith('text/html')) return reply.send(response);
  const html = await response.text();
  return reply
    .code(response.status)
    .headers(Object.fromEntries(response.headers))
    .header('content-security-policy', policyOf(html))
    .send(html);
}

/**
 * pg-boss's dashboard for staff: queues, jobs with payloads, schedules and warnings, and retries of failed jobs. It
 * uses the same authentication as the operations.
 */
export async function jobDashboard(app: FastifyInstance, { jobsDatabaseUrl }: JobDashboardOptions): Promise<void> {
  const dashboard = await openDashboard({
    databases: [{ url: jobsDatabaseUrl, name: 'jobs' }],
    basePath: DASHBOARD_PATH,
  });
  app.addHook('onClose', () => dashboard.close());
  app.addHook('onRequest', async ({ actor }) => {
    if (actor?.isStaff || actor?.isSuperuser) return;
    throw actor
      ? permissionDenied({ permission: 'staff' }, { message: permissionDenied.message })
      : notAuthenticated({});
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  for (const url of [DASHBOARD_PATH, `${DASHBOARD_PATH}/*`]) {
    app.route({
      method: ['GET', 'HEAD', 'POST'],
      url,
      config: { isOwnPage: true },
      // The dashboard fails on HEAD.
      handler: async (request, reply) =>
        request.method === 'HEAD' ? reply.type('text/html').send() : answer(reply, await dashboard(requestOf(request))),
    });
  }
}
