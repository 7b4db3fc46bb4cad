import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startTestServers } from '@enterprise-access/db/testing';
import { auditBooks } from '@enterprise-access/domain';
import { fuzzMissing } from '@enterprise-access/services';
import { z } from 'zod';
import { runSchemathesis } from './rest.ts';
import { callers, startTarget } from './target.ts';
import { sendTrpc } from './trpc.ts';

const USAGE = `Sends generated requests as four kinds of caller and judges every reply by what is documented.

  npm run fuzz -- [--requests 10000] [--engine postgres|mariadb] [--seed 1] [--minutes 60]
`;
const engines = { postgres: 'postgres', mariadb: 'mysql' } as const;
const optionsOf = z.object({
  requests: z.coerce.number().int().min(1).max(10_000_000).default(10_000),
  engine: z.enum(['postgres', 'mariadb']).default('postgres'),
  seed: z.coerce.number().int().min(1).max(2_000_000_000).default(1),
  minutes: z.coerce.number().min(1).max(1_440).default(60),
});

const say = (line: string) => void process.stdout.write(`${line}\n`);
const text = { type: 'string' } as const;

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: { requests: text, engine: text, seed: text, minutes: text } });
  const options = optionsOf.safeParse(values);
  if (!options.success) throw new Error(`${z.prettifyError(options.error)}\n\n${USAGE}`);
  const missing = fuzzMissing();
  if (missing !== null) throw new Error(missing);
  const { requests, engine, seed, minutes } = options.data;
  const ends = performance.now() + minutes * 60_000;
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-fuzz-'));
  const { servers, stop } = await startTestServers();
  const failures: string[] = [];
  // Print immediately: a run can be long and may be stopped early.
  const fail = (failure: string) => {
    failures.push(failure);
    say(`\n${failure}`);
  };
  try {
    const target = await startTarget(servers, engines[engine]);
    try {
      for (let round = 0; target.requests() < requests && performance.now() < ends; round += 1) {
        for (const caller of callers) {
          const before = target.requests();
          const phases = round === 0 ? 'examples,coverage,fuzzing' : 'fuzzing';
          const seconds = Math.max(5, Math.min(60, (ends - performance.now()) / 1_000));
          const wanted = { examples: 10, seed: seed + round, phases, seconds, folder };
          const { isGood, report } = await runSchemathesis(target.url, caller, wanted);
          if (!isGood) fail(`schemathesis as ${caller.name}, seed ${wanted.seed}:\n${report}`);
          const byRest = target.requests() - before;
          const trpc = await sendTrpc(target.url, caller, { requests: 500, seed: seed + round });
          for (const failure of trpc.failures) fail(failure);
          say(
            `${engine} ${caller.name}: ${byRest} by REST, ${trpc.requests} by tRPC, ${failures.length} reports of failures`,
          );
          if (target.requests() >= requests || performance.now() >= ends) break;
        }
      }
      const books = await auditBooks(target.db);
      if (books.length > 0) fail(`The books do not agree: ${JSON.stringify(books)}`);
      for (const error of [...new Set(target.errors)].slice(0, 20)) say(`\nlogged: ${error.slice(0, 2_000)}`);
      say(`\n${engine}: ${target.requests()} requests, seed ${seed}: ${JSON.stringify(target.statuses)}`);
      say(failures.length === 0 ? 'Every reply was as documented.' : `${failures.length} reports of failures.`);
    } finally {
      await target.stop();
    }
  } finally {
    await stop();
    await rm(folder, { recursive: true, force: true });
  }
  return failures.length === 0;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
