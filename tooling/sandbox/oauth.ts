import { createHmac } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Refusal } from './http.ts';

/** Signs the sandbox's tokens unless told otherwise. Public on purpose: production refuses to start with it. */
export const DEVELOPMENT_SECRET = 'sandbox-development-secret';

const LIFETIME_SECONDS = 3600;
const SCOPES = ['read', 'write', 'profile', 'email'];

const form = z.object({ grant_type: z.string(), client_id: z.string().min(1), client_secret: z.string().min(1) });

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

function signed(claims: object, secret: string): string {
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

/** The claims that make the caller the platform's service account. */
function serviceClaims(clientId: string, now: Date) {
  const issuedAt = Math.floor(now.getTime() / 1000);
  return {
    iss: 'http://localhost:18000/oauth2',
    aud: 'lms-key',
    iat: issuedAt,
    exp: issuedAt + LIFETIME_SECONDS,
    grant_type: 'client-credentials',
    preferred_username: `${clientId}-service`,
    scopes: SCOPES,
    version: '1.2.0',
    filters: [],
    is_restricted: false,
    email: `${clientId}-service@sandbox.example`,
    administrator: true,
    superuser: false,
    roles: ['enterprise_openedx_operator:*'],
  };
}

/** `POST /oauth2/access_token`: client credentials for anybody who brings some (R-UP-02). */
export function oauthRoutes(app: FastifyInstance, options: { secret: string; now: () => Date }): void {
  app.post('/access_token', (request, reply) => {
    const parsed = form.safeParse(request.body);
    if (!parsed.success) throw new Refusal(401, { error: 'invalid_client' });
    if (parsed.data.grant_type !== 'client_credentials') throw new Refusal(400, { error: 'unsupported_grant_type' });
    reply.send({
      access_token: signed(serviceClaims(parsed.data.client_id, options.now()), options.secret),
      expires_in: LIFETIME_SECONDS,
      token_type: 'JWT',
      scope: SCOPES.join(' '),
    });
  });
}
