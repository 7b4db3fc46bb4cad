import '@fastify/cookie';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Actor, invalidToken, permissionDenied } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Claims, isJwt, NamelessToken, TokenRefused, type VerifyToken } from '../tokens.ts';
import type { ActorOf } from '../users.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The actor of the request; null for anonymous requests. An invalid token in the header is an error. */
    authenticate(request: FastifyRequest): Promise<Actor | null> | Actor | null;
  }
  interface FastifyContextConfig {
    /** Accept form posts from the same origin only (CSRF). */
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

/**
 * Scheme and token of the `Authorization` header, such as `JWT x`. A header that does not have two parts is ignored.
 */
function headerParts(request: FastifyRequest): readonly [scheme: string, token: string] | null {
  const [scheme, token, ...more] = (request.headers.authorization ?? '').split(/\s+/).filter(Boolean);
  return scheme !== undefined && token !== undefined && more.length === 0 ? [scheme, token] : null;
}

/**
 * The LMS splits the token into two cookies: header and payload, which pages can read, and the signature, which they
 * cannot.
 */
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

/**
 * CSRF check: browsers send cookies with requests of any page, so the request must prove that it comes from a trusted
 * one.
 */
function passesCsrf(request: FastifyRequest, isTrustedOrigin: AuthOptions['isTrustedOrigin']): boolean {
  if (SAFE_METHODS.has(request.method)) return true;
  const { origin } = request.headers;
  // Pages that we serve have no CSRF token; check the `Origin` header instead.
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
  /** Synchronous for a token that was verified before: pages send the same token with every request. */
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
    if (error instanceof NamelessToken) throw invalidToken({}, { cause: error, message: error.message });
    throw error instanceof TokenRefused ? invalidToken({}, { cause: error }) : error;
  };

  app.decorate('authenticate', (request: FastifyRequest): Promise<Actor | null> | Actor | null => {
    const header = headerParts(request);
    if (header !== null) {
      const [scheme, token] = header;
      // With another scheme the request is anonymous; its cookies are ignored too.
      if (!SCHEME.test(scheme)) return null;
      // The same for a bearer token that is not a JWT.
      if (/^bearer$/i.test(scheme) && !isJwt(token)) return null;
      const actor = accepted(token);
      return actor instanceof Promise ? actor.catch(refuse) : actor;
    }
    const cookie = cookieToken(request);
    return cookie === null || !passesCsrf(request, options.isTrustedOrigin) ? null : byCookie(cookie);
  });

  app.get('/csrf/api/v1/token', async (request, reply) => {
    // An empty token would fail the check.
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
