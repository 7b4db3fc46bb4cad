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

function main(): void {
  const { values } = parseArgs({
    options: {
      role: { type: 'string', multiple: true },
      enterprise: { type: 'string', default: '*' },
      user: { type: 'string' },
      email: { type: 'string' },
      staff: { type: 'boolean', default: false },
      hours: { type: 'string', default: '24' },
      help: { type: 'boolean', default: false },
    },
  });
  const userId = Number(values.user);
  const hours = Number(values.hours);
  if (values.help || !values.role || !Number.isInteger(userId) || userId < 1 || !(hours > 0)) {
    process.stderr.write(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const secret = process.env.JWT_SECRET_KEY ?? DEVELOPMENT_SECRET;
  const token = makeToken({
    roles: values.role,
    enterprise: values.enterprise,
    userId,
    ...(values.email === undefined ? {} : { email: values.email }),
    isStaff: values.staff,
    hours,
    secret,
  });
  process.stdout.write(`${token}\n`);
}

if (import.meta.main) main();
