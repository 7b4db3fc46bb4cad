import type { TestServers } from '@enterprise-access/db/testing';
import { demonstration } from '@enterprise-access/start/demonstration';
import type { Row } from './measure.ts';
import { addPolicies, canRedeemPath, dialectsOf, makeSetting, RUN, type Setting } from './setting.ts';

async function statementsOf({ db, get }: Setting, path: string): Promise<number> {
  // The first call looks up the caller.
  await get(path);
  let statements = 0;
  const count = () => {
    statements += 1;
  };
  db.on('query', count);
  await get(path);
  db.off('query', count);
  return statements;
}

const bar = { at: 'most', value: 1 } as const;
const listPath = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${demonstration.customer}&active=true`;

/** The number of statements per request must not grow with the number of policies or content keys. */
export async function queries(servers: TestServers): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const setting = await makeSetting(servers, dialect);
    try {
      const keys = [RUN, ...Array.from({ length: 19 }, (_, index) => `course-v1:edX+C${index}+2T2026`)];
      const one = await statementsOf(setting, canRedeemPath(1_000, [RUN]));
      const smallPage = await statementsOf(setting, listPath);
      await addPolicies(setting.db, 9);
      const many = await statementsOf(setting, canRedeemPath(1_000, keys));
      const largePage = await statementsOf(setting, listPath);
      rows.push(
        {
          name: `queries: can-redeem, 20 keys/10 policies vs 1/1, ${dialect}`,
          ours: `${many} statements`,
          reference: `${one} statements`,
          ratio: many / one,
          bar,
        },
        {
          name: `queries: policy list, 10 policies vs 1, ${dialect}`,
          ours: `${largePage} statements`,
          reference: `${smallPage} statements`,
          ratio: largePage / smallPage,
          bar,
        },
      );
    } finally {
      await setting.stop();
    }
  }
  return rows;
}
