/** One line of the result: the operation, its reference, and the measured values. */
export interface Row {
  readonly name: string;
  readonly ours: string;
  readonly reference: string;
  readonly ratio: number;
  /** Required ratio; null for an informational line. */
  readonly bar: { readonly at: 'least' | 'most'; readonly value: number } | null;
}

export interface Settings {
  /** Duration of a round. */
  readonly seconds: number;
  /** Number of rounds per side. */
  readonly rounds: number;
  /** Ledger transactions of the large database. */
  readonly rows: number;
}

export const percentile = (samples: readonly number[], share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
};

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

const isOk = ({ ratio, bar }: Row): string => {
  if (bar === null) return '';
  return (bar.at === 'least' ? ratio >= bar.value : ratio <= bar.value) ? 'ok' : 'missed';
};

export function table(rows: readonly Row[]): string {
  const cells = [
    ['name', 'ours', 'reference', 'ratio', 'bar', 'ok'],
    ...rows.map((row) => [
      row.name,
      row.ours,
      row.reference,
      row.ratio.toFixed(2),
      row.bar ? `${row.bar.at === 'least' ? '>=' : '<='} ${row.bar.value}` : '',
      isOk(row),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4, 5].map((at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells.map((line) => line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')).join('\n');
}

/** Alternates between both sides, so that other load on the machine affects both. */
export async function alternate<T>(
  rounds: number,
  sides: readonly (() => Promise<T>)[],
): Promise<readonly (readonly T[])[]> {
  const results = sides.map((): T[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, side] of sides.entries()) results[at]?.push(await side());
  }
  return results;
}

/** Repeats `work` from a number of concurrent clients for a time; returns the rate per second. */
export async function rateOf(clients: number, seconds: number, work: (client: number) => Promise<void>) {
  let done = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const loop = async (_: unknown, client: number) => {
    while (performance.now() < end) {
      await work(client);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, loop));
  return done / ((performance.now() - start) / 1000);
}
