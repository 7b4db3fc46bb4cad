import { SingleBar } from 'cli-progress';
import { movement, readBooks } from './books.ts';
import { Client, NoServer } from './client.ts';
import { drive } from './drive.ts';
import { type Options, readOptions, USAGE, UsageError } from './options.ts';
import { report, total } from './report.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);

function progressBar(total: number): SingleBar {
  const bar = new SingleBar({
    format: '  {bar} {percentage}% | {value}/{total} | {redeemed} redeemed, {errors} errors | {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    noTTYOutput: true,
    notTTYSchedule: 5_000,
    fps: 5,
  });
  bar.start(total, 0, { redeemed: 0, errors: 0 });
  return bar;
}

async function run(options: Options): Promise<boolean> {
  const client = new Client(options.url, options.concurrency);
  try {
    await client.assertServer();
    say(`${options.learners} learners, ${options.courses.length} course runs, ${options.concurrency} at a time.`);
    const before = await readBooks(client, options);
    const bar = progressBar(options.cover ? options.courses.length : options.learners * options.courses.length);
    const outcome = await drive(client, {
      ...options,
      onProgress: ({ attempted, redeemed, alreadyRedeemed, uncovered, errors }) =>
        bar.update(options.cover ? redeemed + alreadyRedeemed + uncovered.length : attempted, {
          redeemed,
          errors: total(errors),
        }),
    }).finally(() => bar.stop());
    const after = await readBooks(client, options);
    const moved = movement(before, after);
    say(`\n${report(outcome, moved, after)}`);
    return moved.agree && outcome.uncovered.length === 0;
  } finally {
    await client.close();
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    say(USAGE);
    return;
  }
  if (!(await run(options))) process.exitCode = 1;
}

main().catch((error: unknown) => {
  const isOurs = error instanceof NoServer || error instanceof UsageError;
  const text = error instanceof Error ? (isOurs ? error.message : error.stack) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
});
