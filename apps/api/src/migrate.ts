import { connect, databaseUrlProblem, migrate, waitForDatabase } from '@enterprise-access/db';

/** How long to wait for the database to start, in milliseconds. */
const PATIENCE_MS = 60_000;

const say = (sentence: string) => void process.stdout.write(`${sentence}\n`);

/** Brings the schema of `DATABASE_URL` up to date: `npm run db:migrate`, and before the first process of a release. */
async function main(): Promise<void> {
  const url = process.env.DATABASE_URL ?? '';
  const problem = url === '' ? 'is not set' : databaseUrlProblem(url);
  if (problem !== null) throw new Error(`DATABASE_URL ${problem}.`);
  // One connection migrates, the other reports what it waits for.
  const db = connect({ url, poolSize: 2 });
  try {
    await waitForDatabase(db, { patienceMs: PATIENCE_MS, onWait: () => say('Waiting for the database to answer.') });
    const names = await migrate(db, { say });
    say(names.length === 0 ? 'The schema is up to date.' : `Migrated: ${names.join(', ')}.`);
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
