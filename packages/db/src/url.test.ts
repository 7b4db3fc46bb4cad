import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { databaseUrlProblem, parseDatabaseUrl, postgresConnection } from './url.ts';

const folder = mkdtempSync(join(tmpdir(), 'url-test-'));
const ca = join(folder, 'ca.pem');
writeFileSync(ca, 'the CA');
afterAll(() => rmSync(folder, { recursive: true }));

const mysql = (query: string) => `mysql://us%40er:p%25w@db.test/access${query}`;
const postgres = (query: string) => `postgres://user@db.test:5433/access${query}`;
const checked = { rejectUnauthorized: true, verifyIdentity: true };

test('host, port, user, password and database are decoded', () => {
  expect(parseDatabaseUrl(mysql(''))).toMatchObject({
    dialect: 'mysql',
    host: 'db.test',
    port: 3306,
    user: 'us@er',
    password: 'p%w',
    database: 'access',
    tls: false,
  });
  expect(parseDatabaseUrl('postgres://[::1]/a?application_name=x')).toMatchObject({
    host: '::1',
    port: 5432,
    applicationName: 'x',
  });
});

describe('TLS is as configured', () => {
  test.each<[string, unknown]>([
    [mysql(''), false],
    [mysql('?ssl=false'), false],
    [mysql('?ssl-mode=DISABLED'), false],
    [mysql('?ssl=true'), checked],
    [mysql(`?ssl=1&ssl-ca=${ca}`), { ...checked, ca: 'the CA' }],
    [mysql('?ssl-mode=REQUIRED'), { rejectUnauthorized: false, verifyIdentity: false }],
    [mysql('?ssl-mode=required'), { rejectUnauthorized: false, verifyIdentity: false }],
    [mysql(`?ssl-mode=REQUIRED&ssl-ca=${ca}`), { rejectUnauthorized: true, verifyIdentity: false, ca: 'the CA' }],
    [mysql(`?ssl-mode=VERIFY_CA&ssl-ca=${ca}`), { rejectUnauthorized: true, verifyIdentity: false, ca: 'the CA' }],
    [mysql('?ssl-mode=VERIFY_IDENTITY'), checked],
    [mysql('?ssl={}'), checked],
    [mysql('?ssl={"ca":"a","rejectUnauthorized":false}'), { ...checked, ca: 'a', rejectUnauthorized: false }],
    [postgres(''), false],
    [postgres('?sslmode=disable'), false],
    [postgres('?sslmode=no-verify'), { rejectUnauthorized: false, verifyIdentity: false }],
    [postgres('?sslmode=require'), checked],
    [postgres(`?sslmode=verify-full&sslrootcert=${ca}`), { ...checked, ca: 'the CA' }],
    [
      postgres(`?sslmode=verify-ca&sslrootcert=${ca}`),
      { rejectUnauthorized: true, verifyIdentity: false, ca: 'the CA' },
    ],
    [postgres('?ssl=true'), checked],
  ])('%s', (url, tls) => {
    expect(parseDatabaseUrl(url).tls).toEqual(tls);
  });

  test('a server that is an IP address is checked as one, not as "localhost"', () => {
    expect(postgresConnection('postgres://10.0.0.7/a?sslmode=verify-full').ssl).toMatchObject({ host: '10.0.0.7' });
  });
});

test.each([
  [mysql('?sslmode=require'), 'has the unknown parameter sslmode; known are ssl, ssl-mode, ssl-ca, ssl-cert, ssl-key'],
  [mysql('?ssl=yes'), 'has ssl with an unknown value; known are true, false, 1, 0'],
  [mysql('?ssl={"ca":1}'), 'has the setting ca in ssl, which is no string'],
  [mysql('?ssl={"checkServerIdentity":true}'), 'has the unknown setting checkServerIdentity in ssl; known are'],
  [mysql('?ssl={x'), 'has ssl that is neither true, false nor a JSON object'],
  [mysql('?ssl-mode=PREFERRED'), 'has ssl-mode=PREFERRED, which may end in clear; choose DISABLED or REQUIRED'],
  [
    mysql('?ssl-mode=VERIFY'),
    'has ssl-mode with an unknown value; known are DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY',
  ],
  [mysql('?ssl=true&ssl-mode=DISABLED'), 'has both ssl and ssl-mode'],
  [mysql('?ssl=false&ssl=true'), 'has the parameter ssl twice'],
  [mysql(`?ssl-ca=${ca}`), 'has certificates, but TLS is not switched on'],
  [mysql(`?ssl-mode=DISABLED&ssl-ca=${ca}`), 'has certificates, but TLS is not switched on'],
  [mysql(`?ssl=true&ssl-cert=${ca}`), 'has only one of ssl-cert and ssl-key'],
  [mysql('?ssl=true&ssl-ca=/no/such/file'), 'names a file in ssl-ca that cannot be read'],
  [
    'mysql://10.0.0.7/a?ssl=true',
    'asks for the certificate of a host, but names an IP address; use its name or VERIFY_CA',
  ],
  [postgres('?ssl-mode=REQUIRED'), 'has the unknown parameter ssl-mode; known are ssl, sslmode, sslrootcert'],
  [postgres('?sslmode=verify_full'), 'has sslmode with an unknown value; known are disable, no-verify, require,'],
  [postgres('?sslmode=prefer'), 'has sslmode=prefer, which may end in clear; choose disable or require'],
  [postgres('?host=elsewhere'), 'has the unknown parameter host'],
  [postgres('?channel_binding=require'), 'has the unknown parameter channel_binding'],
  ['postgres://a@db.test/a#c', 'has a part behind #; write a # as %23'],
  ['postgres://h1:1,h2:2/a', 'is no URL'],
  ['redis://x', 'must be a postgres:// or mysql:// URL'],
])('refused, without its password: %s', (url, problem) => {
  expect(databaseUrlProblem(url)).toContain(problem);
});
