import '@fastify/cookie';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Actor, invalidToken, permissionDenied } from '@enterprise-access/domain';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Claims, TokenRefused, type VerifyToken } from '../tokens.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Who is calling; null for nobody. A token in the header that is not valid is an error. */
    authenticate(request: FastifyRequest): Promise<Actor | null>;
  }
  interface FastifyContextConfig {
    /** Forms of pages under this route come from pages under this route. */
    isOwnPage?: boolean;
  }
}

export interface AuthOptions {
  readonly verify: VerifyToken;
  readonly actorOf: (claims: Claims) => Promise<Actor>;
  /** Origins of front ends whose pages may send cookies. */
  readonly trustedOrigins: readonly string[];
  readonly secureCookies: boolean;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const CSRF_COOKIE = 'enterprise_access_csrftoken';
const YEAR_SECONDS = 31_449_600;

/** `JWT x` or `Bearer x`; anything else is no token of ours. */
function headerToken(request: FastifyRequest): string | null {
  const [scheme = '', token, ...more] = (request.headers.authorization ?? '').split(' ');
  if (!/^(jwt|bearer)$/i.test(scheme) || !token || more.length > 0) return null;
  return token;
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
function passesCsrf(request: FastifyRequest, trustedOrigins: readonly string[]): boolean {
  if (SAFE_METHODS.has(request.method)) return true;
  const { origin } = request.headers;
  // Pages that we serve ourselves know nothing of our token; browsers say which origin a form was sent from.
  if (request.routeOptions.config.isOwnPage) return URL.parse(origin ?? '')?.host === request.host;
  if (origin !== undefined && origin !== `${request.protocol}://${request.host}` && !trustedOrigins.includes(origin))
    return false;
  const cookie = request.cookies[CSRF_COOKIE];
  const header = request.headers['x-csrftoken'];
  return Boolean(cookie) && typeof header === 'string' && sameText(cookie ?? '', header);
}

export const auth = fp<AuthOptions>(async (app: FastifyInstance, options) => {
  const accepted = async (token: string): Promise<Actor> => {
    const claims = await options.verify(token);
    if (claims.is_restricted)
      throw permissionDenied({ permission: 'unrestricted application' }, { message: permissionDenied.message });
    return options.actorOf(claims);
  };

  app.decorate('authenticate', async (request: FastifyRequest): Promise<Actor | null> => {
    const header = headerToken(request);
    if (header !== null) {
      try {
        return await accepted(header);
      } catch (error) {
        if (error instanceof TokenRefused) throw invalidToken({}, { cause: error });
        throw error;
      }
    }
    // Another scheme is somebody else's; only without any header do cookies count.
    const cookie = request.headers.authorization?.trim().includes(' ') ? null : cookieToken(request);
    if (cookie === null || !passesCsrf(request, options.trustedOrigins)) return null;
    try {
      return await accepted(cookie);
    } catch (error) {
      if (error instanceof TokenRefused) return null;
      throw error;
    }
  });

  app.get('/csrf/api/v1/token', async (request, reply) => {
    const csrfToken = request.cookies[CSRF_COOKIE] ?? randomBytes(32).toString('hex');
    reply.setCookie(CSRF_COOKIE, csrfToken, {
      path: '/',
      maxAge: YEAR_SECONDS,
      sameSite: 'lax',
      secure: options.secureCookies,
    });
    return { csrfToken };
  });
});
