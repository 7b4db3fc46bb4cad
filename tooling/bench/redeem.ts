import type { TestServers } from '@enterprise-access/db/testing';
import { openBare } from './bare.ts';
import { alternate, median, type Row, rateOf, type Settings } from './measure.ts';
import { CLIENTS, dialectsOf, makeSetting } from './setting.ts';

/** One hot policy and 16 clients: whole redemptions over REST, compared with their database writes alone. */
export async function redeem(servers: TestServers, { seconds, rounds }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const setting = await makeSetting(servers, dialect);
    const bare = await openBare(setting.db, dialect, setting.url);
    let learner = 1_000;
    const next = () => {
      learner += 1;
      return learner;
    };
    try {
      const ours = (time: number) => rateOf(CLIENTS, time, () => setting.redeem(next()));
      const reference = (time: number) => rateOf(CLIENTS, time, (client) => bare.redeem(client, next()));
      await ours(1);
      await reference(1);
      const [a = [], b = []] = await alternate(rounds, [() => ours(seconds), () => reference(seconds)]);
      rows.push({
        name: `redeem: one hot policy, ${CLIENTS} clients, ${dialect}`,
        ours: `${median(a).toFixed(0)}/s`,
        reference: `${median(b).toFixed(0)}/s`,
        ratio: median(a) / median(b),
        bar: { at: 'least', value: 0.4 },
      });
    } finally {
      await bare.stop();
      await setting.stop();
    }
  }
  return rows;
}
