import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EnterpriseAccess } from '@enterprise-access/sdk';
import { percentile, type Row, type Settings } from './measure.ts';

const SERVER = fileURLToPath(new URL('sdk-server.ts', import.meta.url));
const CUSTOMER = '11111111-1111-4111-8111-111111111111';
/** Calls per turn of each side. */
const TURN = 50;

/** Microseconds per call of some calls one after the other. */
async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let done = 0; done < TURN; done += 1) await call();
  return ((performance.now() - start) * 1000) / TURN;
}

/**
 * A call through the SDK, with its options, time limit, checks and dates, against `fetch` of the same address with the
 * same headers and `json()`. One after the other, because that shows what a caller waits for; the server is another
 * process that answers at once, so that nothing hides the difference.
 */
export async function overhead({ seconds, rounds }: Settings): Promise<Row[]> {
  const child = fork(SERVER);
  try {
    const [port] = (await once(child, 'message')) as [number];
    const baseUrl = `http://127.0.0.1:${port}`;
    const token = 'a'.repeat(600);
    const access = new EnterpriseAccess({ baseUrl, token });
    const ours = async () => access.policies.list({ enterpriseCustomerUuid: CUSTOMER });
    const bare = async () => {
      const input = encodeURIComponent(JSON.stringify({ json: { enterpriseCustomerUuid: CUSTOMER } }));
      const headers = { accept: 'application/json', authorization: `JWT ${token}` };
      return (await fetch(`${baseUrl}/trpc/policies.list?input=${input}`, { headers })).json();
    };
    for (let warm = 0; warm < 20; warm += 1) await Promise.all([timeOf(ours), timeOf(bare)]);
    const sdk: number[] = [];
    const plain: number[] = [];
    for (const end = performance.now() + seconds * rounds * 1000; performance.now() < end; ) {
      sdk.push(await timeOf(ours));
      plain.push(await timeOf(bare));
    }
    // Compare the fastest turns, which are least affected by other load.
    const [quietOurs, quietBare] = [percentile(sdk, 0.1), percentile(plain, 0.1)];
    return [
      {
        name: 'overhead: one call after the other, vs bare fetch',
        ours: `${quietOurs.toFixed(0)} us`,
        reference: `${quietBare.toFixed(0)} us`,
        ratio: quietOurs / quietBare,
        bar: { at: 'most', value: 1.15 },
      },
    ];
  } finally {
    child.disconnect();
  }
}
