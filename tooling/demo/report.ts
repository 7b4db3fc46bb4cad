import type { Books, movement } from './books.ts';
import type { Outcome } from './drive.ts';

const MAX_NAMED = 20;

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;

const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(11);

function latency(name: string, samples: readonly number[]): string {
  const sorted = samples.toSorted((a, b) => a - b);
  const cells = [0.5, 0.95, 0.99, 1].map((share) => ms(percentile(sorted, share))).join('');
  return `  ${name.padEnd(12)}${String(sorted.length).padStart(7)}${cells}`;
}

const dollars = (cents: number) =>
  `$${(cents / 100).toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

const line = (name: string, value: string | number) => `  ${name.padEnd(44)}${String(value).padStart(16)}`;

const byName = (counts: ReadonlyMap<string, number>, prefix: string) =>
  [...counts].toSorted((a, b) => b[1] - a[1]).map(([name, count]) => line(`${prefix}: ${name}`, count));

export const total = (counts: ReadonlyMap<string, number>) => counts.values().reduce((sum, count) => sum + count, 0);

export function report(outcome: Outcome, moved: ReturnType<typeof movement>, after: Books): string {
  const seconds = outcome.elapsedMs / 1000;
  const requests = outcome.canRedeemMs.length + outcome.redeemMs.length;
  const source = after.balanceFrom === 'subsidies' ? 'subsidy balance' : 'credits available';
  return [
    'Redemptions',
    line('attempted', outcome.attempted),
    line('redeemed', outcome.redeemed),
    line('already redeemed', outcome.alreadyRedeemed),
    ...byName(outcome.refused, 'refused'),
    line('errors', total(outcome.errors)),
    ...(outcome.uncovered.length === 0 ? [] : [line('course runs that nobody could redeem', outcome.uncovered.length)]),
    ...outcome.uncovered.slice(0, MAX_NAMED).map((key) => `    ${key}`),
    ...byName(outcome.errors, 'error'),
    '',
    `Latency       ${'calls'.padStart(7)}${['p50', 'p95', 'p99', 'max'].map((name) => name.padStart(11)).join('')}`,
    latency('can-redeem', outcome.canRedeemMs),
    latency('redeem', outcome.redeemMs),
    '',
    'Throughput',
    line('seconds', seconds.toFixed(1)),
    line('requests per second', (requests / seconds).toFixed(0)),
    line('redemptions per second', (outcome.redeemed / seconds).toFixed(0)),
    '',
    'Books: what this run moved',
    line('policies (amount redeemed)', dollars(moved.policies)),
    line('learners (their standing transactions)', dollars(moved.learners)),
    line(`ledger (${source})`, dollars(moved.ledger)),
    moved.agree
      ? '  All three agree to the cent.'
      : '  THEY DO NOT AGREE. Was somebody else redeeming at the same time? Run again on a quiet server.',
    ...(outcome.redeemed === 0 && outcome.alreadyRedeemed > 0
      ? ['', 'Everything was redeemed before. Take other learners with --first ID.']
      : []),
    '',
  ].join('\n');
}
