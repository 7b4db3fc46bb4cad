import { z } from 'zod';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const url = z.url();
const integer = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

/** A key that stands in our repository is no secret. */
export const DEVELOPMENT_SECRET = 'development-secret-never-for-production';

/** Everything the process can be told, with what happens when it is not told. Read once, at start. */
export const environment = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('Production refuses development secrets and the sandbox.'),
  HOST: z.string().default('127.0.0.1').describe('Address to listen on.'),
  PORT: integer(0, 65_535).default(18_270).describe('Port to listen on; 0 takes a free one.'),
  PUBLIC_URL: url.optional().describe('Address under which callers reach this service; part of links.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least important level that is logged.'),
  TRUST_PROXY: flag.default(false).describe('Take client addresses from X-Forwarded-For.'),
  DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?|mysql|mariadb):\/\//, 'must be a postgres:// or mysql:// URL')
    .describe('Business database.'),
  DATABASE_POOL_SIZE: integer(1, 500).default(20).describe('Open connections of this process.'),
  JWT_ISSUERS: z
    .string()
    .default('http://localhost:18000/oauth2')
    .transform((text) => text.split(',').map((item) => item.trim()))
    .describe('Accepted issuers, separated by commas.'),
  JWT_AUDIENCE: z.string().min(1).default('lms-key').describe('Accepted audience.'),
  JWT_SECRET_KEY: z.string().min(16).optional().describe('Key of symmetric tokens (HS256).'),
  JWT_PUBLIC_SIGNING_JWK_SET: z
    .string()
    .optional()
    .describe('JSON text {"keys":[…]} of the RSA keys of asymmetric tokens.'),
  JWT_LEEWAY_SECONDS: integer(0, 60).default(1).describe('Tolerated difference of clocks.'),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .describe('Origins of front ends, separated by commas.'),
  CSRF_TRUSTED_ORIGINS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .describe('Further origins that may send cookies.'),
  LMS_URL: url.describe('Root of the LMS.'),
  ENTERPRISE_CATALOG_URL: url.describe('Root of enterprise-catalog.'),
  OAUTH2_URL: url.describe('Root of the token endpoint.'),
  BACKEND_SERVICE_EDX_OAUTH2_KEY: z.string().min(1).describe('Client id of this service.'),
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: z.string().min(1).describe('Client secret of this service.'),
  UPSTREAM_TIMEOUT_MS: integer(100, 120_000).default(10_000).describe('Bound on one call to another service.'),
  ALLOW_BUDGET_DEACTIVATION_WITH_SPEND: flag.default(false).describe('Let policies with spend be deactivated.'),
  BODY_LIMIT_BYTES: integer(1_024, 50_000_000).default(1_000_000).describe('Largest request body.'),
  THROTTLE_ACTOR_PER_MINUTE: integer(1, 10_000_000).default(60_000).describe('Requests of one caller per minute.'),
  THROTTLE_ANONYMOUS_PER_MINUTE: integer(1, 10_000_000)
    .default(6_000)
    .describe('Anonymous requests of one address per minute.'),
  SANDBOX: flag.default(false).describe('Whether other services are stand-ins; never in production.'),
});

export type Environment = z.infer<typeof environment>;

/** What is wrong with the environment, one line per problem. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  // An empty variable is as good as none.
  const given = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environment.safeParse(given);
  const problems = parsed.success ? productionProblems(parsed.data) : parsed.error.issues.map(problem);
  if (problems.length > 0) throw new EnvironmentError(problems.join('\n'));
  if (!parsed.success) throw new EnvironmentError('The environment cannot be read.');
  return parsed.data;
}

const problem = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_type' && issue.input === undefined
    ? `${issue.path.join('.')} is not set.`
    : `${issue.path.join('.')} is not valid: ${issue.message}.`;

function productionProblems(env: Environment): string[] {
  const problems: string[] = [];
  if (!env.JWT_SECRET_KEY && !env.JWT_PUBLIC_SIGNING_JWK_SET) {
    problems.push('Neither JWT_SECRET_KEY nor JWT_PUBLIC_SIGNING_JWK_SET is set: no token could be verified.');
  }
  if (env.NODE_ENV !== 'production') return problems;
  if (env.JWT_SECRET_KEY === DEVELOPMENT_SECRET) problems.push('JWT_SECRET_KEY is the development secret.');
  if (env.SANDBOX) problems.push('SANDBOX cannot be on in production.');
  return problems;
}
