import { ACCEPTED, compareWith } from './check.ts';

/** `npm run check:breaking [-- REF]`: lists breaking changes since a commit. Exits with 1 if one is not accepted. */
const { base, accepted, unaccepted } = await compareWith(process.argv[2]).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
const say = (text: string) => process.stdout.write(`${text}\n`);
if (base === null) say('There is no earlier commit to compare with.');
else say(`Since ${base.slice(0, 12)}: ${unaccepted.length} breaking changes, and ${accepted.length} accepted ones.`);
for (const line of accepted) say(`  accepted  ${line}`);
for (const line of unaccepted) say(`  BREAKING  ${line}`);
if (unaccepted.length > 0) {
  say(`\nKeep what callers use, or accept a break on purpose: copy its line into ${ACCEPTED}.`);
  process.exitCode = 1;
}
