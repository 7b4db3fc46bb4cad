import { createHmac } from 'node:crypto';
import { parseArgs } from 'node:util';

const USAGE = `Prints a token that the local server accepts.

  npm run token -- --role enterprise_learner --enterprise UUID --user 42 [--email a@b.c] [--staff]

  --role ROLE        enterprise_learner, enterprise_admin or enterprise_openedx_operator; repeat for several
  --enterprise UUID  customer that the roles are for; '*' for all
  --user ID          LMS user id
  --email ADDRESS    e-mail address; user-ID@local.example unless given
  --staff            staff of the platform
  --hours N          lifetime, 24 unless given
`;

export interface TokenRequest {
  readonly roles: readonly string[];
  readonly enterprise: string;
  readonly userId: number;
  readonly email?: string;
  readonly isStaff?: boolean;
  readonly hours?: number;
  readonly secret: string;
  readonly issuer?: string;
  readonly audience?: string;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as the LMS would issue it, signed with the symmetric key. */
export function makeToken(request: TokenRequest): string {
  const now = Math.floor(Date.now() / 1000);
  const head = encode({ alg: 'HS256', typ: 'JWT' });
  const body = encode({
    iss: request.issuer ?? 'http://localhost:18000/oauth2',
    aud: request.audience ?? 'lms-key',
    iat: now,
    exp: now + (request.hours ?? 24) * 3600,
    preferred_username: `user-${request.userId}`,
    user_id: request.userId,
    email: request.email ?? `user-${request.userId}@local.example`,
    administrator: request.isStaff ?? false,
    roles: request.roles.map((role) => `${role}:${request.enterprise}`),
    version: '1.2.0',
  });
  const signature = createHmac('sha256', request.secret).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${signature}`;
}

export const DEVELOPMENT_SECRET = 'development-secret-never-for-production';

const ROLES = ['enterprise_learner', 'enterprise_admin', 'enterprise_openedx_operator'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MOST_HOURS = 87_600;

/** Parses the arguments; null for help. Throws an error with a message for the user. */
export function readArguments(args: readonly string[]): Omit<TokenRequest, 'secret'> | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      role: { type: 'string', multiple: true, default: [] },
      enterprise: { type: 'string', default: '*' },
      user: { type: 'string' },
      email: { type: 'string' },
      staff: { type: 'boolean', default: false },
      hours: { type: 'string', default: '24' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const { role: roles, enterprise, email } = values;
  if (roles.length === 0) throw new Error('--role is missing.');
  const unknown = roles.find((role) => !ROLES.includes(role));
  if (unknown !== undefined) throw new Error(`--role ${unknown} is none of ${ROLES.join(', ')}.`);
  if (enterprise !== '*' && !UUID.test(enterprise)) throw new Error(`--enterprise must be a UUID or '*'.`);
  const userId = Number(values.user);
  if (!Number.isInteger(userId) || userId < 1) throw new Error('--user must be a whole number from 1.');
  const hours = Number(values.hours);
  if (!(hours > 0 && hours <= MOST_HOURS)) throw new Error(`--hours must be a number up to ${MOST_HOURS}.`);
  return { roles, enterprise, userId, ...(email === undefined ? {} : { email }), isStaff: values.staff, hours };
}

function main(): void {
  try {
    const request = readArguments(process.argv.slice(2));
    if (request === null) return void process.stdout.write(USAGE);
    const secret = process.env.JWT_SECRET_KEY ?? DEVELOPMENT_SECRET;
    process.stdout.write(`${makeToken({ ...request, secret })}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
  }
}

if (import.meta.main) main();
