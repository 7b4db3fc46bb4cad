import { parseArgs } from 'node:util';
import { startTestServers, type TestServers } from '@enterprise-access/db/testing';
import { assignments } from './assignments.ts';
import { auditLists } from './audit-lists.ts';
import { billing } from './billing.ts';
import { flood } from './flood.ts';
import { growth } from './growth.ts';
import { kafka } from './kafka.ts';
import { latency } from './latency.ts';
import { licenceJobs } from './licence-jobs.ts';
import { licenseLists } from './license-lists.ts';
import { type Row, type Settings, table } from './measure.ts';
import { memory } from './memory.ts';
import { outbox } from './outbox.ts';
import { queries } from './queries.ts';
import { decisionLists, records } from './records.ts';
import { redeem } from './redeem.ts';
import { rest } from './rest.ts';
import { overhead } from './sdk-overhead.ts';
import { size } from './sdk-size.ts';
import { types } from './sdk-types.ts';
import { seatsProvisioning } from './seats-provisioning.ts';
import { workflows } from './workflows.ts';

const USAGE = `Measures us against the least that the same work could cost, both sides in turn in one run.

  npm run bench [-- NAME…] [-- --seconds 5 --rounds 3 --rows 1000000]

  rest     the REST bridge against a plain Fastify route with the same body
  redeem   redemptions at one hot policy against their writes through the bare driver
  assignments  long lists against bare inserts of the same rows; lists of very many assignments against few
  billing  events of Stripe stored with their jobs against bare inserts; time to acknowledge
  seats-provisioning  licences of one plan (twice --rows) against bare inserts of the same rows
  licence-lists  lists of a plan with very many licences against few; its CSV
  flood    what other callers notice of anonymous floods of large and unfinished bodies
  records  redeem, allocate and can-redeem with the audit trail and decisions against the same without
  decision-lists  lists of very many decisions against few
  growth   latency with very many ledger transactions against few
  queries  statements per request, many policies and keys against one
  audit-lists  lists of the audit trail with very many entries against few
  outbox   jobs through the outbox against pg-boss alone with the same inserts and work
  kafka    events from the outbox to Kafka against a bare producer with the same batches
  latency  from the commit to the handler in an idle worker
  memory   what an idle worker holds
  licence-jobs  memory of the jobs that go through all licences of a plan, with very many against few
  workflows  workflows of eight trivial steps against a loop with the same writes
  types     what the SDK's types cost the compiler, against the router's type
  size      the SDK in a browser bundle
  overhead  a call through the SDK against a bare fetch
`;

const benchmarks: Readonly<Record<string, (servers: TestServers, settings: Settings) => Promise<Row[]>>> = {
  assignments,
  billing,
  'licence-lists': licenseLists,
  'seats-provisioning': seatsProvisioning,
  queries,
  rest,
  redeem,
  records,
  'decision-lists': decisionLists,
  growth,
  flood,
  'audit-lists': auditLists,
  outbox,
  kafka,
  latency,
  memory,
  'licence-jobs': licenceJobs,
  workflows,
};

/** Benchmarks without a database. */
const ofClients: Readonly<Record<string, (settings: Settings) => Promise<Row[]>>> = { types, size, overhead };

async function run(names: readonly string[], settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names.filter((each) => ofClients[each])) {
    process.stderr.write(`${name} …\n`);
    rows.push(...((await ofClients[name]?.(settings)) ?? []));
  }
  const others = names.filter((name) => benchmarks[name]);
  if (others.length === 0) return rows;
  const { servers, stop } = await startTestServers();
  try {
    for (const dialect of ['postgres', 'mysql'] as const) {
      const server = servers[dialect];
      if ('skipped' in server) process.stderr.write(`${dialect} is left out: ${server.skipped}.\n`);
    }
    for (const name of others) {
      process.stderr.write(`${name} …\n`);
      rows.push(...((await benchmarks[name]?.(servers, settings)) ?? []));
    }
  } finally {
    await stop();
  }
  return rows;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      rows: { type: 'string', default: '1000000' },
      help: { type: 'boolean', default: false },
    },
  });
  const settings = { seconds: Number(values.seconds), rounds: Number(values.rounds), rows: Number(values.rows) };
  const isBounded =
    settings.seconds > 0 &&
    settings.seconds <= 60 &&
    settings.rounds >= 1 &&
    settings.rounds <= 20 &&
    settings.rows >= 1_000 &&
    settings.rows <= 10_000_000;
  const names = positionals.length > 0 ? positionals : [...Object.keys(benchmarks), ...Object.keys(ofClients)];
  if (values.help || !isBounded || names.some((name) => !benchmarks[name] && !ofClients[name])) {
    process.stderr.write(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const rows = await run(names, settings);
  process.stdout.write(`\n${table(rows)}\n`);
}

await main();
