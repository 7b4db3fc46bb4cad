import { z } from 'zod';

export const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const url = z.url();
export const integer = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
/** Texts separated by commas. */
export const list = (standard: string) =>
  z
    .string()
    .default(standard)
    .transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    );

export const jobsDatabaseUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL');

/** What every process of the service can be told. */
export const serviceEnvironment = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('Production refuses development secrets and the sandbox.'),
  HOST: z.string().default('127.0.0.1').describe('Address to listen on.'),
  PUBLIC_URL: url.optional().describe('Address under which callers reach this service; part of links.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least important level that is logged.'),
  DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?|mysql|mariadb):\/\//, 'must be a postgres:// or mysql:// URL')
    .describe('Business database.'),
  DATABASE_POOL_SIZE: integer(1, 500).default(20).describe('Open connections of this process.'),
  LMS_URL: url.describe('Root of the LMS.'),
  ENTERPRISE_CATALOG_URL: url.describe('Root of enterprise-catalog.'),
  ENTERPRISE_SUBSIDY_URL: url
    .optional()
    .describe('Root of an enterprise-subsidy service that keeps the ledger; without it the ledger is our own.'),
  OAUTH2_URL: url.describe('Root of the token endpoint.'),
  BACKEND_SERVICE_EDX_OAUTH2_KEY: z.string().min(1).describe('Client id of this service.'),
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: z.string().min(1).describe('Client secret of this service.'),
  UPSTREAM_TIMEOUT_MS: integer(100, 120_000)
    .default(10_000)
    .describe('Bound on one call to another service, with all its attempts; enrolling and spending have longer ones.'),
  ALLOW_BUDGET_DEACTIVATION_WITH_SPEND: flag.default(false).describe('Let policies with spend be deactivated.'),
  ENABLE_HANDLE_LC_ENROLLMENT_REVOKED: flag
    .default(true)
    .describe('Give value back when a learner leaves a course within two weeks; for a ledger of our own.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: url
    .optional()
    .describe('OpenTelemetry collector that takes traces over HTTP; without it nothing is traced.'),
  SANDBOX: flag.default(false).describe('Whether other services are stand-ins; never in production.'),
});
export type ServiceEnvironment = z.infer<typeof serviceEnvironment>;

/** What is wrong with the environment, one line per problem. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Reads what a process knows of; everything that is wrong is one `EnvironmentError`. */
export function parseEnvironment<E extends ServiceEnvironment>(schema: z.ZodType<E>, variables: Variables): E {
  // An empty variable is as good as none.
  const given = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new EnvironmentError(parsed.error.issues.map(problem).join('\n'));
  if (parsed.data.NODE_ENV === 'production' && parsed.data.SANDBOX)
    throw new EnvironmentError('SANDBOX cannot be on in production.');
  return parsed.data;
}

const problem = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_type' && issue.input === undefined
    ? `${issue.path.join('.')} is not set.`
    : `${issue.path.join('.')} is not valid: ${issue.message}.`;
