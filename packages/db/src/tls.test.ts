import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from './knex.ts';
import { findMariadb, type RunningServer, startMariadb, startPostgres } from './servers/index.ts';

let folder: string;
const path = (name: string): string => join(folder, name);

/** A CA and a certificate of "localhost" from it; another CA that has nothing to do with either. */
async function makeCertificates(): Promise<void> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: folder });
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  await Promise.all([authority('ca'), authority('other')]);
  await openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  );
  await writeFile(path('san'), 'subjectAltName=DNS:localhost');
  await openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'san',
    '-out',
    'server.pem',
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-test-'));
  await makeCertificates();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Whether a connection is encrypted; what the driver says when there is none. */
async function encryption(server: RunningServer, host: string, query: string): Promise<string | boolean> {
  const url = new URL(server.url(server.kind === 'mariadb' ? 'mysql' : 'postgres'));
  url.hostname = host;
  url.search = query;
  const db = connect({ url: url.href, poolSize: 1 });
  try {
    if (server.kind === 'mariadb') {
      const [[row]] = await db.raw("show session status like 'Ssl_cipher'");
      return row.Value !== '';
    }
    const { rows } = await db.raw('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0].ssl;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await db.destroy();
  }
}

describe.runIf(findMariadb())('MariaDB that requires TLS', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startMariadb({
      dataDir: path('mariadb'),
      durable: false,
      tls: { cert: path('server.pem'), key: path('server.key') },
    });
  });
  afterAll(() => server.stop());

  test.each([
    ['in clear', 'localhost', (): string => '', 'ER_ACCESS_DENIED_ERROR'],
    ['encrypted', 'localhost', (): string => 'ssl-mode=REQUIRED', true],
    ['a CA that is known', 'localhost', (): string => `ssl-mode=VERIFY_CA&ssl-ca=${path('ca.pem')}`, true],
    ['and the name', 'localhost', (): string => `ssl=true&ssl-ca=${path('ca.pem')}`, true],
    ['as JSON', 'localhost', (): string => 'ssl={"rejectUnauthorized":false}', true],
    ['another CA', 'localhost', (): string => `ssl-mode=VERIFY_CA&ssl-ca=${path('other.pem')}`, 'HANDSHAKE_SSL_ERROR'],
    ['no CA that is known', 'localhost', (): string => 'ssl=true', 'HANDSHAKE_SSL_ERROR'],
    ['another name', '127.1', (): string => `ssl=true&ssl-ca=${path('ca.pem')}`, 'HANDSHAKE_SSL_ERROR'],
    [
      'another name that is not checked',
      '127.0.0.1',
      (): string => `ssl-mode=VERIFY_CA&ssl-ca=${path('ca.pem')}`,
      true,
    ],
  ] as const)('%s', async (_case, host, query, outcome) => {
    expect(await encryption(server, host, query())).toBe(outcome);
  });
});

describe('PostgreSQL that offers TLS', () => {
  let server: RunningServer;
  beforeAll(async () => {
    const settings = { ssl: 'on', ssl_cert_file: path('server.pem'), ssl_key_file: path('server.key') };
    server = await startPostgres({ dataDir: path('postgres'), durable: false, settings });
  });
  afterAll(() => server.stop());

  test.each([
    ['in clear', 'localhost', (): string => '', false],
    ['encrypted', 'localhost', (): string => 'sslmode=no-verify', true],
    [
      'a CA that is known, and the name',
      'localhost',
      (): string => `sslmode=verify-full&sslrootcert=${path('ca.pem')}`,
      true,
    ],
    [
      'another CA',
      'localhost',
      (): string => `sslmode=verify-ca&sslrootcert=${path('other.pem')}`,
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    ['no CA that is known', 'localhost', (): string => 'sslmode=require', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'an address that the certificate is not for',
      '127.0.0.1',
      (): string => `sslmode=verify-full&sslrootcert=${path('ca.pem')}`,
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['the same, not checked', '127.0.0.1', (): string => `sslmode=verify-ca&sslrootcert=${path('ca.pem')}`, true],
  ] as const)('%s', async (_case, host, query, outcome) => {
    expect(await encryption(server, host, query())).toBe(outcome);
  });
});
