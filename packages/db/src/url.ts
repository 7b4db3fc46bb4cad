import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

export type Dialect = 'postgres' | 'mysql';

/** Invalid database URL. The message never contains the URL, which has a password. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

/** TLS settings; false for an unencrypted connection. */
export type TlsSettings = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'minVersion' | 'rejectUnauthorized'> & {
  /** Whether the certificate must match the host. */
  readonly verifyIdentity: boolean;
};

export interface DatabaseUrl {
  readonly dialect: Dialect;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: TlsSettings | false;
  readonly applicationName?: string;
}

type Parameters = ReadonlyMap<string, string>;

const DIALECTS: Readonly<Record<string, Dialect>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};
const PORTS = { postgres: 5432, mysql: 3306 } as const;

const quoted = (names: readonly string[]): string => names.join(', ');

/** Rejects unknown parameters instead of ignoring them: they could be meant to enable TLS. */
function parametersOf(url: URL, known: readonly string[]): Parameters {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!known.includes(name))
      throw new DatabaseUrlError(`has the unknown parameter ${name}; known are ${quoted(known)}`);
    if (parameters.has(name)) throw new DatabaseUrlError(`has the parameter ${name} twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function choice<T extends string>(parameters: Parameters, name: string, choices: readonly T[]): T | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const found = choices.find((one) => one.toLowerCase() === text.toLowerCase());
  if (found === undefined)
    throw new DatabaseUrlError(`has ${name} with an unknown value; known are ${quoted(choices)}`);
  return found;
}

function fileOf(parameters: Parameters, name: string): string | undefined {
  const path = parameters.get(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new DatabaseUrlError(`names a file in ${name} that cannot be read`);
  }
}

/** Files of certificates and keys, without those that are not given. */
function material(parameters: Parameters, names: { ca: string; cert: string; key: string }) {
  const [ca, cert, key] = [fileOf(parameters, names.ca), fileOf(parameters, names.cert), fileOf(parameters, names.key)];
  if ((cert === undefined) !== (key === undefined))
    throw new DatabaseUrlError(`has only one of ${names.cert} and ${names.key}`);
  return { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}) };
}

/** Unencrypted; rejects certificate parameters, because they show that TLS was expected. */
function clear(given: object): false {
  if (Object.keys(given).length > 0) throw new DatabaseUrlError('has certificates, but TLS is not switched on');
  return false;
}

const MYSQL_FILES = { ca: 'ssl-ca', cert: 'ssl-cert', key: 'ssl-key' };
const MYSQL_MODES = ['DISABLED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] as const;
type MysqlMode = (typeof MYSQL_MODES)[number];

/** The object that mysql2 takes in its own URLs. */
function mysqlObject(text: string): TlsSettings {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new DatabaseUrlError('has ssl that is neither true, false nor a JSON object');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new DatabaseUrlError('has ssl that is neither true, false nor a JSON object');
  const kinds: Readonly<Record<string, string>> = {
    ca: 'string',
    cert: 'string',
    key: 'string',
    minVersion: 'string',
    rejectUnauthorized: 'boolean',
    verifyIdentity: 'boolean',
  };
  for (const [name, value] of Object.entries(given)) {
    if (kinds[name] === undefined)
      throw new DatabaseUrlError(`has the unknown setting ${name} in ssl; known are ${quoted(Object.keys(kinds))}`);
    if (typeof value !== kinds[name])
      throw new DatabaseUrlError(`has the setting ${name} in ssl, which is no ${kinds[name]}`);
  }
  return { rejectUnauthorized: true, verifyIdentity: true, ...given };
}

function mysqlTls(parameters: Parameters): TlsSettings | false {
  const files = material(parameters, MYSQL_FILES);
  if (parameters.get('ssl-mode')?.toUpperCase() === 'PREFERRED')
    throw new DatabaseUrlError('has ssl-mode=PREFERRED, which may end in clear; choose DISABLED or REQUIRED');
  const mode = choice<MysqlMode>(parameters, 'ssl-mode', MYSQL_MODES);
  const ssl = parameters.get('ssl');
  const flag =
    ssl === undefined || ssl.startsWith('{') ? undefined : choice(parameters, 'ssl', ['true', 'false', '1', '0']);
  if (ssl !== undefined && mode !== undefined) throw new DatabaseUrlError('has both ssl and ssl-mode');
  if (ssl !== undefined && flag === undefined) {
    if (Object.keys(files).length > 0) throw new DatabaseUrlError('has certificates both in ssl and as files');
    return mysqlObject(ssl);
  }
  if (mode === 'DISABLED' || flag === 'false' || flag === '0') return clear(files);
  if (mode === undefined && flag === undefined) return clear(files);
  // Like MySQL's clients, REQUIRED alone encrypts without verifying the server. With a CA, the certificate is verified.
  const isTrusting = mode === 'REQUIRED' && !('ca' in files);
  const verifyIdentity = mode === undefined || mode === 'VERIFY_IDENTITY';
  return { ...files, rejectUnauthorized: !isTrusting, verifyIdentity };
}

const POSTGRES_FILES = { ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' };
const POSTGRES_MODES = ['disable', 'no-verify', 'require', 'verify-ca', 'verify-full'] as const;
type PostgresMode = (typeof POSTGRES_MODES)[number];

function postgresTls(parameters: Parameters): TlsSettings | false {
  const files = material(parameters, POSTGRES_FILES);
  const asked = parameters.get('sslmode');
  if (asked === 'prefer' || asked === 'allow')
    throw new DatabaseUrlError(`has sslmode=${asked}, which may end in clear; choose disable or require`);
  const mode = choice<PostgresMode>(parameters, 'sslmode', POSTGRES_MODES);
  const flag = choice(parameters, 'ssl', ['true']);
  if (flag !== undefined && mode !== undefined) throw new DatabaseUrlError('has both ssl and sslmode');
  if (mode === 'disable') return clear(files);
  if (mode === undefined && flag === undefined) return clear(files);
  // Like node-postgres: TLS verifies certificate and host unless configured otherwise.
  return {
    ...files,
    rejectUnauthorized: mode !== 'no-verify',
    verifyIdentity: mode !== 'verify-ca' && mode !== 'no-verify',
  };
}

const MYSQL_PARAMETERS = ['ssl', 'ssl-mode', ...Object.values(MYSQL_FILES)];
const POSTGRES_PARAMETERS = ['ssl', 'sslmode', ...Object.values(POSTGRES_FILES), 'application_name'];

/** Parses a database URL. Throws `DatabaseUrlError`. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  if (!URL.canParse(text)) throw new DatabaseUrlError('is no URL');
  const url = new URL(text);
  const dialect = DIALECTS[url.protocol];
  if (dialect === undefined) throw new DatabaseUrlError('must be a postgres:// or mysql:// URL');
  if (url.hash !== '') throw new DatabaseUrlError('has a part behind #; write a # as %23');
  const parameters = parametersOf(url, dialect === 'postgres' ? POSTGRES_PARAMETERS : MYSQL_PARAMETERS);
  const applicationName = parameters.get('application_name');
  const host = decoded(url.hostname).replace(/^\[(.*)\]$/, '$1');
  const tls = dialect === 'postgres' ? postgresTls(parameters) : mysqlTls(parameters);
  // mysql2 would compare the certificate with "localhost".
  if (dialect === 'mysql' && tls && tls.verifyIdentity && isIP(host) !== 0)
    throw new DatabaseUrlError(
      'asks for the certificate of a host, but names an IP address; use its name or VERIFY_CA',
    );
  return {
    dialect,
    host,
    port: Number(url.port || PORTS[dialect]),
    user: decoded(url.username),
    password: decoded(url.password),
    database: decoded(url.pathname.slice(1)),
    tls,
    ...(applicationName === undefined ? {} : { applicationName }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DatabaseUrlError('has a % that stands for itself; write it as %25');
  }
}

/** The problem of a database URL, to append to the name of its variable; null if it is valid. */
export function databaseUrlProblem(text: string): string | null {
  try {
    parseDatabaseUrl(text);
    return null;
  } catch (error) {
    if (error instanceof DatabaseUrlError) return error.message;
    throw error;
  }
}

/** Connection options of node-postgres, for code that does not use `connect`. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: false | ConnectionOptions;
  readonly application_name?: string;
}

export function postgresConnection(text: string): PostgresConnection {
  const { dialect, host, port, user, password, database, tls, applicationName } = parseDatabaseUrl(text);
  if (dialect !== 'postgres') throw new DatabaseUrlError('must be a postgres:// URL');
  return {
    host,
    port,
    user,
    password,
    database,
    ssl: tls === false ? false : nodeTls(tls, host),
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
  };
}

/** Without `host` Node would compare the certificate of a server that is an IP address with "localhost". */
const nodeTls = ({ verifyIdentity, ...tls }: TlsSettings, host: string): ConnectionOptions =>
  verifyIdentity ? { ...tls, host } : { ...tls, checkServerIdentity: () => undefined };
