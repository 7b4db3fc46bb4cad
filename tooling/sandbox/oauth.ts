import { createHmac, randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const LIFETIME_S = 3600;
// Nobody verifies the signature here; a key of each process keeps the token out of everything else.
const KEY = randomUUID();

/** Forms parse to text fields only. */
interface TokenForm {
  readonly grant_type?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(clientId: string): string {
  const now = Math.floor(Date.now() / 1000);
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({
    iss: 'sandbox',
    iat: now,
    exp: now + LIFETIME_S,
    preferred_username: clientId,
    administrator: true,
    roles: ['enterprise_openedx_operator:*', 'enterprise_provisioning_admin:*'],
    scopes: ['read', 'write', 'profile', 'email'],
  })}`;
  return `${content}.${createHmac('sha256', KEY).update(content).digest('base64url')}`;
}

/** Client credentials for a JWT (R-UP-02); at the root and, since the LMS is the issuer, below it. */
export function oauth(app: FastifyInstance): void {
  const issue = async (request: FastifyRequest, reply: FastifyReply) => {
    const { grant_type: grant, client_id: clientId, client_secret: secret } = (request.body ?? {}) as TokenForm;
    if (grant !== 'client_credentials') return reply.code(400).send({ error: 'unsupported_grant_type' });
    if (!clientId || !secret) return reply.code(401).send({ error: 'invalid_client' });
    return {
      access_token: token(clientId),
      expires_in: LIFETIME_S,
      token_type: 'JWT',
      scope: 'read write profile email',
    };
  };
  app.post('/oauth2/access_token', issue);
  app.post('/lms/oauth2/access_token', issue);
}
