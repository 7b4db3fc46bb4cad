import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect, migrate } from '@enterprise-access/db';
import { startPostgres } from '@enterprise-access/db/servers';
import { SANDBOX_CLIENT_SECRET } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, sandboxBilling, sandboxMail, seedDemonstration } from './demonstration.ts';
import { DEVELOPMENT_SECRET } from './token.ts';

const API = fileURLToPath(new URL('../../apps/api/src/main.ts', import.meta.url));
const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));

const USAGE = `Starts database, stand-ins, API and worker, with demonstration data. Ctrl-C stops them; the data stays.

  npm start [-- --catalog FILE.csv]

  --catalog FILE.csv  adds courses

Where they listen and keep their data are variables: PORT, WORKER_PORT, HOST, DATA_DIR, DATABASE_URL.
`;

interface Part {
  stop(): Promise<void>;
}

const say = (text: string) => process.stdout.write(`${text}\n`);

interface Databases {
  readonly business: string;
  readonly jobs: string;
}

/** Starts the embedded server for databases that are not configured; creates them on the first start. */
async function startDatabases(dataDir: string, parts: Part[]): Promise<Databases> {
  const { DATABASE_URL: business, JOBS_DATABASE_URL: jobs } = process.env;
  if (business && jobs) return { business, jobs };
  const server = await startPostgres({ dataDir: resolve(dataDir, 'postgres'), maxConnections: 100 });
  parts.push(server);
  const admin = connect({ url: server.url('postgres'), poolSize: 1 });
  const made = async (name: string): Promise<string> => {
    const { rows } = await admin.raw('select 1 from pg_database where datname = ?', [name]);
    if (rows.length === 0) await admin.raw(`create database ${name}`);
    return server.url(name);
  };
  const databases = {
    business: business ?? (await made('enterprise_access')),
    jobs: jobs ?? (await made('enterprise_access_jobs')),
  };
  await admin.destroy();
  return databases;
}

async function prepare(databaseUrl: string): Promise<void> {
  const db = connect({ url: databaseUrl, poolSize: 2 });
  try {
    await migrate(db);
    await seedDemonstration(db);
  } finally {
    await db.destroy();
  }
}

/** Starts one of our processes, waits until it is ready and returns its URL. */
async function startProcess(
  program: string,
  env: NodeJS.ProcessEnv,
  parts: Part[],
  onEnd: () => void,
): Promise<string> {
  // Outside of our process group, so that Ctrl-C does not reach it directly and we can shut down in order.
  const child = fork(program, { env, detached: true });
  const exited = once(child, 'exit');
  parts.push({
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await exited;
    },
  });
  // It must not outlive this process.
  process.once('exit', () => child.kill('SIGKILL'));
  const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [
    { ready: string } | null,
  ];
  if (!message) throw new Error('A process could not start; see its message above.');
  void exited.then(onEnd);
  return message.ready;
}

/** Saves the environment for other commands. Its secrets are valid for the sandbox only. */
async function leaveEnvironment(dataDir: string, environment: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  await writeFile(resolve(dataDir, 'environment.json'), JSON.stringify(environment, null, 2), { mode: 0o600 });
}

function welcome(url: string, sandboxUrl: string): string {
  const token = `npm run -s token -- --role enterprise_learner --enterprise ${demonstration.customer} --user 1000 --email learner-1000@demo.example`;
  const adminToken = `npm run -s token -- --role enterprise_admin --enterprise ${demonstration.customer} --user 900 --email admin@demo.example`;
  const licenses = `/api/v1/subscriptions/${demonstration.plan}/licenses/`;
  const course = 'course-v1:edX+DemoX+2T2026';
  return `
Enterprise Access is ready.

  REST      ${url}/api/v1/
  tRPC      ${url}/trpc
  Docs      ${url}/docs
  OpenAPI   ${url}/openapi.json
  Mails     ${sandboxUrl}/control/mails
  Purchase  ${sandboxUrl}/stripe/

Try it as learner 1000 of Demo Company, in another terminal:

  TOKEN=$(${token})
  curl -H "Authorization: JWT $TOKEN" "${url}/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?content_key=${encodeURIComponent(course)}"
  curl -X POST -H "Authorization: JWT $TOKEN" -H 'Content-Type: application/json' \\
    -d '{"lms_user_id": 1000, "content_key": "${course}"}' \\
    ${url}/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/

The licences of its subscription plan, 100 seats with some in every state, as its administrator:

  ADMIN=$(${adminToken})
  curl -H "Authorization: JWT $ADMIN" ${url}${licenses}
  curl -H "Authorization: JWT $ADMIN" ${url}${licenses}overview/
  curl -X POST -H "Authorization: JWT $ADMIN" -H 'Content-Type: application/json' \\
    -d '{"emails": ["learner-1900@demo.example"], "course_run_keys": ["${course}"], "notify": false}' \\
    "${url}/api/v1/bulk-license-enrollment/?enterprise_customer_uuid=${demonstration.customer}&subscription_uuid=${demonstration.plan}"

Ctrl-C stops everything; the data stays in ${process.env.DATA_DIR ?? '.data'}.
`;
}

function readArguments() {
  try {
    return parseArgs({ options: { catalog: { type: 'string' }, help: { type: 'boolean', default: false } } });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${USAGE}`);
  }
}

async function main(): Promise<void> {
  const { values } = readArguments();
  if (values.help) {
    say(USAGE);
    return;
  }
  if (values.catalog !== undefined && !existsSync(values.catalog))
    throw new Error(`There is no file ${values.catalog}.`);
  const parts: Part[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      for (const part of parts.reverse()) await part.stop();
    })();
    return stopping;
  };
  const end = (exitCode: number) => void stop().then(() => process.exit(exitCode));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0));
  // If one process exits, stop the others.
  const onEnd = () => {
    if (!stopping) end(1);
  };
  try {
    const dataDir = process.env.DATA_DIR ?? '.data';
    const databases = await startDatabases(dataDir, parts);
    await prepare(databases.business);
    let apiUrl: string | null = null;
    const sandbox = await startSandbox({
      ...(values.catalog === undefined ? {} : { catalogFile: values.catalog }),
      shop: () => (apiUrl === null ? null : { apiUrl, tokenSecret: DEVELOPMENT_SECRET }),
    });
    parts.push({ stop: () => sandbox.close() });
    const host = process.env.HOST ?? '127.0.0.1';
    const port = process.env.PORT ?? '18270';
    const environment = {
      DATABASE_URL: databases.business,
      JOBS_DATABASE_URL: databases.jobs,
      LMS_URL: `${sandbox.url}/lms`,
      ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
      ...sandboxMail(sandbox.url),
      ...sandboxBilling(sandbox.url),
      OAUTH2_URL: sandbox.url,
      BACKEND_SERVICE_EDX_OAUTH2_KEY: 'enterprise-access',
      BACKEND_SERVICE_EDX_OAUTH2_SECRET: SANDBOX_CLIENT_SECRET,
      JWT_SECRET_KEY: DEVELOPMENT_SECRET,
      SANDBOX: 'true',
      ALLOW_DEMO_DATA: 'true',
      HOST: host,
      PORT: port,
      // Not 127.0.0.1: front ends of the platform run on localhost, and its cookies do not reach another host.
      PUBLIC_URL: `http://localhost:${port}`,
      FILES_FOLDER: resolve(dataDir, 'files'),
      LOG_LEVEL: 'warn',
    };
    await leaveEnvironment(dataDir, environment);
    const env = { ...environment, ...process.env, DATABASE_URL: databases.business };
    const address = await startProcess(API, env, parts, onEnd);
    apiUrl = address;
    sandbox.state.stripe.webhook.url = `${address}/api/v1/customer-billing/stripe-webhook/`;
    await startProcess(WORKER, env, parts, onEnd);
    say(welcome(address.replace('127.0.0.1', 'localhost'), sandbox.url));
  } catch (error) {
    await stop();
    throw error;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
