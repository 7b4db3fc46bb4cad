import { connect, migrate } from '@enterprise-access/db';
import { z } from 'zod';

/** Brings the schema of `DATABASE_URL` up to date: `npm run db:migrate`, and before the first process of a release. */
async function main(): Promise<void> {
  const url = z.url({ protocol: /^(postgres(ql)?|mysql|mariadb)$/ }).safeParse(process.env.DATABASE_URL);
  if (!url.success) throw new Error('DATABASE_URL is not a postgres:// or mysql:// URL.');
  const db = connect({ url: url.data, poolSize: 1 });
  try {
    const names = await migrate(db);
    process.stdout.write(names.length === 0 ? 'The schema is up to date.\n' : `Migrated: ${names.join(', ')}.\n`);
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
