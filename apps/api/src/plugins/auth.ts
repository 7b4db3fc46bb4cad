import '@fastify/cookie';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Actor, invalidToken, permissionDenied } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Claims, TokenRefused, type VerifyToken } from '../tokens.ts';
import type { ActorOf } from '../users.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Who is calling; null for nobody. A token in the header that is not valid is an error. */
    authenticate(request: FastifyRequest): Promise<Actor | null> | Actor | null;
  }
  interface FastifyContextConfig {
    /** Forms of pages under this route come from pages under this route. */
    isOwnPage?: boolean;
  }
}

export interface AuthOptions {
  readonly verify: VerifyToken;
  readonly actorOf: ActorOf;
  /** Whether pages of this origin may send cookies. */
  readonly isTrustedOrigin: (origin: string) => boolean;
  readonly secureCookies: boolean;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const CSRF_COOKIE = 'enterprise_access_csrftoken';
const YEAR_SECONDS = 31_449_600;

const SCHEME = /^(?:jwt|bearer)$/i;

/** The two parts of `JWT x`, `Bearer x` or of somebody else's scheme; what has not two parts counts as no header. */
function headerParts(request: FastifyRequest): readonly [scheme: string, token: string] | null {
  const [scheme, token, ...more] = (request.headers.authorization ?? '').split(/\s+/).filter(Boolean);
  return scheme !== undefined && token !== undefined && more.length === 0 ? [scheme, token] : null;
}

/** The front ends split the token: what pages may read, and the signature that they may not. */
function cookieToken(request: FastifyRequest): string | null {
  const { cookies } = request;
  const payload = cookies['edx-jwt-cookie-header-payload'];
  const signature = cookies['edx-jwt-cookie-signature'];
  if (payload && signature) return `${payload}.${signature}`;
  return cookies['edx-jwt-cookie'] ?? null;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** A cookie comes along with whatever page made the browser send it: the page must prove that it is one of ours. */
function passesCsrf(request: FastifyRequest, isTrustedOrigin: AuthOptions['isTrustedOrigin']): boolean {
  if (SAFE_METHODS.has(request.method)) return true;
  const { origin } = request.headers;
  // Pages that we serve ourselves know nothing of our token; browsers say which origin a form was sent from.
  if (request.routeOptions.config.isOwnPage) return URL.parse(origin ?? '')?.host === request.host;
  if (origin !== undefined && origin !== `${request.protocol}://${request.host}` && !isTrustedOrigin(origin))
    return false;
  const cookie = request.cookies[CSRF_COOKIE];
  const header = request.headers['x-csrftoken'];
  return Boolean(cookie) && typeof header === 'string' && sameText(cookie ?? '', header);
}

export const auth = fp<AuthOptions>(async (app: FastifyInstance, options) => {
  const actorOf = (claims: Claims): Promise<Actor> | Actor => {
    if (claims.is_restricted)
      return Promise.reject(
        permissionDenied({ permission: 'unrestricted application' }, { message: permissionDenied.message }),
      );
    return options.actorOf(claims);
  };
  /** A token that was seen before costs no turn of the event loop: pages send the same one with every request. */
  const accepted = (token: string): Promise<Actor> | Actor => {
    const claims = options.verify(token);
    return claims instanceof Promise ? claims.then(actorOf) : actorOf(claims);
  };

  const byCookie = async (token: string): Promise<Actor | null> => {
    try {
      return await accepted(token);
    } catch (error) {
      if (error instanceof TokenRefused) return null;
      throw error;
    }
  };
  const refuse = (error: unknown): never => {
    throw error instanceof TokenRefused ? invalidToken({}, { cause: error }) : error;
  };

  app.decorate('authenticate', (request: FastifyRequest): Promise<Actor | null> | Actor | null => {
    const header = headerParts(request);
    if (header !== null) {
      const [scheme, token] = header;
      // Another scheme is somebody else's; cookies do not count beside it.
      if (!SCHEME.test(scheme)) return null;
      const actor = accepted(token);
      return actor instanceof Promise ? actor.catch(refuse) : actor;
    }
    const cookie = cookieToken(request);
    return cookie === null || !passesCsrf(request, options.isTrustedOrigin) ? null : byCookie(cookie);
  });

  app.get('/csrf/api/v1/token', async (request, reply) => {
    // An empty one passes no check.
    const csrfToken = request.cookies[CSRF_COOKIE] || randomBytes(32).toString('hex');
    reply.setCookie(CSRF_COOKIE, csrfToken, {
      path: '/',
      maxAge: YEAR_SECONDS,
      sameSite: 'lax',
      secure: options.secureCookies,
    });
    return { csrfToken };
  });
});
