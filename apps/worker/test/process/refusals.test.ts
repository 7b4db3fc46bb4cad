import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { quickStart } from '../../../../tooling/test/children.ts';
import { DEVELOPMENT_SECRET } from '../../../api/src/env.ts';

const common = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://access.example.com',
  DATABASE_URL: 'postgres://access@127.0.0.1:9/access',
  LMS_URL: 'https://lms.example.com',
  ENTERPRISE_CATALOG_URL: 'https://catalog.example.com',
  OAUTH2_URL: 'https://lms.example.com',
  BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'a secret of the tests only',
};
const programs = {
  api: { ...common, JWT_SECRET_KEY: 'a secret of the tests only, long enough', PORT: '0' },
  worker: { ...common, JOBS_DATABASE_URL: 'postgres://access@127.0.0.1:9/jobs', WORKER_PORT: '0' },
};
type Variables = Readonly<Record<string, string | undefined>>;

/** What the process says and how it ends. */
async function start(app: keyof typeof programs, change: Variables) {
  const main = fileURLToPath(new URL(`../../../${app}/src/main.ts`, import.meta.url));
  const variables: Variables = { PATH: process.env.PATH, ...programs[app], ...change };
  const env = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));
  const child = spawn(process.execPath, [...quickStart, main], {
    env: env as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, output, lines: errors.split('\n').filter(Boolean) };
}

const badKeySet = 'JWT_PUBLIC_SIGNING_JWK_SET is not valid: must be JSON text {"keys":[…]} with at least one RSA key.';
const keySetOf = (kind: 'rsa' | 'ed25519'): string => {
  const { publicKey } =
    kind === 'rsa' ? generateKeyPairSync(kind, { modulusLength: 2_048 }) : generateKeyPairSync(kind);
  return JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] });
};
const keys = 'Neither JWT_SECRET_KEY nor JWT_PUBLIC_SIGNING_JWK_SET is set: no token could be verified.';
const weakKey = 'JWT_SECRET_KEY is weak: it needs 32 bytes with 10 different characters.';
const publicUrl = 'PUBLIC_URL is not set: links in replies would lead nowhere.';
const badUrl = 'DATABASE_URL is not valid: must be a postgres:// or mysql:// URL.';
const sandbox = 'SANDBOX cannot be on in production.';
const clientSecret = 'BACKEND_SERVICE_EDX_OAUTH2_SECRET is the development secret.';

test.each<['api' | 'worker', string, Variables, readonly string[]]>([
  ['api', 'no keys', { JWT_SECRET_KEY: undefined }, [keys]],
  ['api', 'an empty key', { JWT_SECRET_KEY: '' }, [keys]],
  [
    'api',
    'the development secret',
    { JWT_SECRET_KEY: DEVELOPMENT_SECRET },
    ['JWT_SECRET_KEY is the development secret.'],
  ],
  [
    'api',
    'the development secret beside a key set',
    { JWT_SECRET_KEY: DEVELOPMENT_SECRET, JWT_PUBLIC_SIGNING_JWK_SET: keySetOf('rsa') },
    ['JWT_SECRET_KEY is the development secret.'],
  ],
  ['api', 'a short key', { JWT_SECRET_KEY: 'a secret of the tests only' }, [weakKey]],
  ['api', 'a long key of one character', { JWT_SECRET_KEY: 'a'.repeat(64) }, [weakKey]],
  ['api', 'no public address', { PUBLIC_URL: undefined }, [publicUrl]],
  ['worker', 'no public address', { PUBLIC_URL: undefined }, [publicUrl]],
  [
    'worker',
    'the sandbox’s key for mails',
    { BRAZE_API_URL: 'https://braze.example.com', BRAZE_API_KEY: 'sandbox' },
    ['BRAZE_API_KEY is the key of the sandbox.'],
  ],
  ['api', 'the sandbox', { SANDBOX: 'true' }, [sandbox]],
  [
    'api',
    'all of it at once',
    { SANDBOX: '1', JWT_SECRET_KEY: DEVELOPMENT_SECRET, BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'sandbox' },
    [sandbox, clientSecret, 'JWT_SECRET_KEY is the development secret.'],
  ],
  ['api', 'a key set that is none', { JWT_PUBLIC_SIGNING_JWK_SET: '{"keys": []}' }, [badKeySet]],
  [
    'api',
    'a key set of half a key',
    { JWT_PUBLIC_SIGNING_JWK_SET: '{"keys":[{"kty":"RSA","e":"AQAB"}]}' },
    [badKeySet],
  ],
  ['api', 'a key set without RSA keys', { JWT_PUBLIC_SIGNING_JWK_SET: keySetOf('ed25519') }, [badKeySet]],
  [
    'api',
    'malformed and missing variables',
    { DATABASE_URL: 'redis://x', PORT: '99999', LMS_URL: 'lms', OAUTH2_URL: undefined },
    [
      badUrl,
      'LMS_URL is not valid: Invalid URL.',
      'OAUTH2_URL is not set.',
      'PORT is not valid: Too big: expected number to be <=65535.',
    ],
  ],
  ['worker', 'the sandbox', { SANDBOX: 'true' }, [sandbox]],
  ['worker', 'no keys', { BACKEND_SERVICE_EDX_OAUTH2_KEY: undefined }, ['BACKEND_SERVICE_EDX_OAUTH2_KEY is not set.']],
  ['worker', 'the development secret', { BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'sandbox' }, [clientSecret]],
  [
    'worker',
    'malformed and missing variables',
    { DATABASE_URL: 'redis://x', JOBS_DATABASE_URL: 'mysql://x', RELAY_POLL_MS: 'soon' },
    [
      badUrl,
      'JOBS_DATABASE_URL is not valid: must be a postgres:// URL.',
      'RELAY_POLL_MS is not valid: Invalid input: expected number, received NaN.',
    ],
  ],
  [
    'worker',
    'fewer connections than its outbox and bus hold at once',
    { DATABASE_POOL_SIZE: '5' },
    ['DATABASE_POOL_SIZE is not valid: Too small: expected number to be >=6.'],
  ],
  [
    'worker',
    'parameters of database URLs that would be ignored',
    {
      DATABASE_URL: 'mysql://a:secret@db.example/access?sslmode=require',
      JOBS_DATABASE_URL: 'postgres://a:secret@db.example/jobs?ssl-mode=REQUIRED',
    },
    [
      'DATABASE_URL is not valid: has the unknown parameter sslmode; known are ssl, ssl-mode, ssl-ca, ssl-cert, ssl-key.',
      'JOBS_DATABASE_URL is not valid: has the unknown parameter ssl-mode; known are ssl, sslmode, sslrootcert, sslcert, sslkey, application_name.',
    ],
  ],
  [
    'worker',
    'keys without which Kafka and the registry would be used in clear',
    {
      KAFKA_BROKERS: 'kafka:9092',
      SCHEMA_REGISTRY_URL: 'http://r.test',
      KAFKA_API_KEY: 'k',
      SCHEMA_REGISTRY_API_SECRET: 's',
    },
    [
      'KAFKA_API_KEY and KAFKA_API_SECRET are set together or not at all.',
      'SCHEMA_REGISTRY_API_KEY and SCHEMA_REGISTRY_API_SECRET are set together or not at all.',
    ],
  ],
  [
    'worker',
    'schemes and users where they have no meaning',
    {
      KAFKA_BROKERS: 'SASL_SSL://kafka:9092',
      SCHEMA_REGISTRY_URL: 'https://user:secret@r.test',
      MEMCACHED_SERVERS: 'tls://cache.test:11211',
    },
    [
      'KAFKA_BROKERS is not valid: must be host:port, separated by commas.',
      'MEMCACHED_SERVERS is not valid: must be [user:password@]host[:port], separated by commas.',
      'SCHEMA_REGISTRY_URL is not valid: the user is SCHEMA_REGISTRY_API_KEY.',
    ],
  ],
  [
    'worker',
    'keys of a Kafka that is not there',
    { KAFKA_API_KEY: 'k', KAFKA_API_SECRET: 's' },
    ['KAFKA_API_KEY is set, but KAFKA_BROKERS is not.'],
  ],
  [
    'worker',
    'Kafka without a registry',
    { KAFKA_BROKERS: 'kafka:9092' },
    ['KAFKA_BROKERS and SCHEMA_REGISTRY_URL are set together or not at all.'],
  ],
])('the %s refuses to start in production with %s, a line per problem', async (app, _what, change, lines) => {
  const ended = await start(app, change);
  expect(ended.lines.toSorted()).toEqual(lines.toSorted());
  expect(ended).toMatchObject({ code: 1, output: '' });
  // The values may be secrets.
  expect(ended.lines.join('\n')).not.toContain(DEVELOPMENT_SECRET);
});
