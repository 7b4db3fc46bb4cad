import {
  integer,
  jobsDatabaseUrl,
  list,
  parseEnvironment,
  serviceEnvironment,
  type Variables,
} from '@enterprise-access/platform';
import { z } from 'zod';
import { isKeySet } from './tokens.ts';

/** Public in this repository, so production refuses it. */
export const DEVELOPMENT_SECRET = 'development-secret-never-for-production';

/**
 * HS256 keys must be at least as long as the digest (RFC 7518, 3.2). A key with few different characters is not
 * random.
 */
const MINIMUM_KEY_BYTES = 32;
const MINIMUM_KEY_CHARACTERS = 10;

const isWeakKey = (key: string): boolean =>
  Buffer.byteLength(key) < MINIMUM_KEY_BYTES || new Set(key).size < MINIMUM_KEY_CHARACTERS;

/** All environment variables of the API with their defaults. Read once, at start. */
export const environment = serviceEnvironment.extend({
  PORT: integer(0, 65_535).default(18_270).describe('Port to listen on; 0 uses a free port.'),
  TRUST_PROXY: z
    .enum(['false', 'true', '0', '1', '2', '3', '4', '5'])
    .transform((text) => (text === 'true' ? 1 : Number(text) || 0))
    .default(0)
    .describe(
      'Number of proxies in front of this process; true means 1. Only that many entries at the end of X-Forwarded-For are trusted.',
    ),
  JWT_ISSUERS: list('http://localhost:18000/oauth2').describe('Accepted issuers, separated by commas.'),
  JWT_AUDIENCE: z.string().min(1).default('lms-key').describe('Accepted audience.'),
  JWT_SECRET_KEY: z.string().min(16).optional().describe('Key of symmetric tokens (HS256).'),
  JWT_PUBLIC_SIGNING_JWK_SET: z
    .string()
    .refine(isKeySet, 'must be JSON text {"keys":[…]} with at least one RSA key')
    .optional()
    .describe('JSON text {"keys":[…]} of the RSA keys of asymmetric tokens.'),
  JWT_LEEWAY_SECONDS: integer(0, 60).default(1).describe('Clock tolerance in seconds.'),
  CORS_ORIGINS: list('').describe(
    'Origins of front ends that can call the API, separated by commas; with the sandbox also localhost.',
  ),
  CORS_ALLOW_HEADERS_EXTRA: list('').describe('Additional request headers allowed for CORS, separated by commas.'),
  CSRF_TRUSTED_ORIGINS: list('').describe('Additional origins whose pages can send cookies.'),
  JOBS_DATABASE_URL: jobsDatabaseUrl
    .optional()
    .describe('PostgreSQL database of the job queues; enables the job dashboard for staff under /jobs.'),
  BODY_TIMEOUT_MS: integer(100, 60_000)
    .default(10_000)
    .describe('Time limit for receiving a request body, in milliseconds; large bodies get proportionally more.'),
  DATABASE_STATEMENT_TIMEOUT_MS: integer(100, 300_000)
    .default(10_000)
    .describe('Statement timeout in milliseconds; the request then gets 503.'),
  CONNECTION_LIMIT: integer(10, 1_000_000)
    .default(10_000)
    .describe('Maximum number of client connections. Without a proxy, one client IP can hold a quarter of them.'),
  THROTTLE_ACTOR_PER_MINUTE: integer(1, 10_000_000)
    .default(60_000)
    .describe('Maximum number of requests per actor and minute.'),
  THROTTLE_ANONYMOUS_PER_MINUTE: integer(1, 10_000_000)
    .default(6_000)
    .describe('Maximum number of anonymous requests per client IP and minute.'),
});

export type Environment = z.infer<typeof environment>;

export const readEnvironment = (variables: Variables): Environment =>
  parseEnvironment(environment, variables, keyProblems);

function keyProblems(env: Environment): string[] {
  const problems: string[] = [];
  if (!env.JWT_SECRET_KEY && !env.JWT_PUBLIC_SIGNING_JWK_SET) {
    problems.push('Neither JWT_SECRET_KEY nor JWT_PUBLIC_SIGNING_JWK_SET is set: no token could be verified.');
  }
  if (env.NODE_ENV === 'production' && env.JWT_SECRET_KEY !== undefined) {
    if (env.JWT_SECRET_KEY === DEVELOPMENT_SECRET) problems.push('JWT_SECRET_KEY is the development secret.');
    else if (isWeakKey(env.JWT_SECRET_KEY))
      problems.push(
        `JWT_SECRET_KEY is weak: it needs ${MINIMUM_KEY_BYTES} bytes with ${MINIMUM_KEY_CHARACTERS} different characters.`,
      );
  }
  return problems;
}
