import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { consumers, type Job, jobs, newUuid, queryDecoder, runJob, unwrapInput } from '@enterprise-access/domain';
import { buildRuntime, EnvironmentError, loggerOptions, type Variables } from '@enterprise-access/platform';
import { pino } from 'pino';
import { z } from 'zod';
import { openBus } from './bus.ts';
import { deadLetterJobs, type Transport } from './dead-letters.ts';
import { readWorkerEnvironment } from './env.ts';
import { lookIntoQueues } from './queues.ts';
import { rewindJob } from './rewind.ts';

const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const say = (text: string) => process.stdout.write(`${text}\n`);

/** The options of a job command are the fields of its payload: `olderThanSeconds` becomes `--older-than-seconds`. */
const fieldsOf = ({ contract }: Job) => Object.entries(contract.payload.shape as Record<string, z.ZodType>);

function usage(all: readonly Job[]): string {
  const lines = all.map((job) => {
    const options = fieldsOf(job).map(
      ([name, field]) => `      --${kebabCase(name).padEnd(24)} ${field.description ?? ''}`,
    );
    return [`  ${job.contract.name}`, `      ${job.contract.summary}`, ...options].join('\n');
  });
  return `Runs a job here and now, without its queue, and prints what it reports.

  npm run job -- NAME [--dry-run] [--option value …]

With --dry-run it looks and counts, and the database refuses to be written to.

${lines.join('\n\n')}
`;
}

/** Adds the variables that `npm start` saved for other commands; the environment takes precedence. */
function environmentOf(variables: Variables): Variables {
  if (variables.DATABASE_URL) return variables;
  try {
    const file = readFileSync(join(variables.DATA_DIR ?? '.data', 'environment.json'), 'utf8');
    return { ...JSON.parse(file), ...variables };
  } catch {
    return variables;
  }
}

function payloadOf(job: Job, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    fieldsOf(job).flatMap(([name, field]) => {
      const text = values[kebabCase(name)];
      return typeof text === 'string' ? [[name, queryDecoder(unwrapInput(field))(text)]] : [];
    }),
  );
}

/** An invalid name, option or value; the message names it. */
class UsageError extends Error {}

function parsed(all: readonly Job[], args: readonly string[]) {
  const [name, ...rest] = args;
  const job = all.find(({ contract }) => contract.name === name);
  if (!job) throw new UsageError(name ? `There is no job named ${name}.` : 'Name a job.');
  const options = Object.fromEntries(fieldsOf(job).map(([field]) => [kebabCase(field), { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ args: rest, options: { ...options, 'dry-run': { type: 'boolean' } } });
    const payload = job.contract.payload.parse(payloadOf(job, values));
    return { job, payload, dryRun: values['dry-run'] === true };
  } catch (error) {
    throw new UsageError(error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message);
  }
}

async function main(args: readonly string[]): Promise<void> {
  let opened: Transport | undefined;
  let group = '';
  const transport = () => {
    if (!opened) throw new Error('The queues are not open.');
    return opened;
  };
  const queueJobs = [
    ...deadLetterJobs(transport, jobs, consumers),
    rewindJob(
      () => transport().bus,
      () => group,
      consumers,
    ),
  ];
  const all = [...jobs, ...queueJobs];
  if (args.length === 0 || args.includes('--help')) {
    say(usage(all));
    return;
  }
  const { job, payload, dryRun } = parsed(all, args);
  const env = readWorkerEnvironment(environmentOf(process.env));
  group = env.EVENT_BUS_CONSUMER_GROUP;
  const log = pino(loggerOptions(env.LOG_LEVEL), pino.destination(2));
  const runtime = buildRuntime(env, log, 'http://localhost:18270', { readOnly: dryRun });
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  try {
    if (queueJobs.includes(job))
      opened = { boss: await lookIntoQueues(env.JOBS_DATABASE_URL, log), bus: openBus(env, runtime) };
    const attempt = { uuid: newUuid(), payload, signal: interrupted.signal, dryRun, isLast: true };
    const result = await runJob(runtime, job, attempt);
    say(JSON.stringify({ job: job.contract.name, dryRun, ...result }, null, 2));
  } finally {
    await opened?.bus.close();
    await opened?.boss.stop({ graceful: true, timeout: 5_000 });
    await runtime.close();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const isPlain = error instanceof UsageError || error instanceof EnvironmentError;
  process.stderr.write(
    isPlain ? `${error.message}\n` : `The job failed: ${error instanceof Error ? error.stack : error}\n`,
  );
  process.exitCode = isPlain ? 2 : 1;
});
