import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { Pool } from 'undici';
import { alternate, median, type Row, rateOf, type Settings } from './measure.ts';
import { CLIENTS } from './setting.ts';

const SERVER = fileURLToPath(new URL('rest-server.ts', import.meta.url));

interface Addresses {
  readonly ours: string;
  readonly sameDoor: string;
  readonly plain: string;
  readonly token: string;
}

interface Measured {
  readonly perSecond: number;
  /** CPU time of the server per request, in microseconds; independent of the client. */
  readonly cpu: number;
}

/** One request whose body is read and dropped. */
const request = (pool: Pool, path: string, token: string): Promise<void> =>
  new Promise((resolve, reject) => {
    let status = 0;
    pool.dispatch(
      { method: 'GET', path, headers: { authorization: `JWT ${token}` } },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => {
          status = statusCode;
        },
        onResponseData: () => undefined,
        onResponseEnd: () => (status === 200 ? resolve() : reject(new Error(`${path}: status ${status}`))),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu');
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }];
  return cpu.user + cpu.system;
}

async function load(child: ChildProcess, url: string, token: string, seconds: number): Promise<Measured> {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { connections: CLIENTS, pipelining: 1 });
  try {
    const before = await cpuOf(child);
    const start = performance.now();
    const perSecond = await rateOf(CLIENTS, seconds, () => request(pool, pathname + search, token));
    const requests = perSecond * ((performance.now() - start) / 1000);
    return { perSecond, cpu: ((await cpuOf(child)) - before) / requests };
  } finally {
    await pool.close();
  }
}

const rates = (measured: readonly Measured[]) => median(measured.map(({ perSecond }) => perSecond));
const costs = (measured: readonly Measured[]) => median(measured.map(({ cpu }) => cpu));

async function pageOf(size: number, databaseUrl: string, { seconds, rounds }: Settings): Promise<Row[]> {
  const child = fork(SERVER, [databaseUrl, String(size)]);
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const [message] = (await Promise.race([once(child, 'message'), exited.then(() => [null])])) as [Addresses | null];
    if (!message) throw new Error('The server of the benchmark could not start.');
    const { ours, sameDoor, plain, token } = message;
    const side = (url: string) => () => load(child, url, token, seconds);
    for (const url of [ours, sameDoor, plain]) await load(child, url, token, 1);
    const [a = [], b = [], c = []] = await alternate(rounds, [side(ours), side(plain), side(sameDoor)]);
    const row = (name: string, reference: readonly Measured[], bar: Row['bar']): Row => ({
      name: `rest: page of ${size}, requests, ${name}`,
      ours: `${rates(a).toFixed(0)}/s`,
      reference: `${rates(reference).toFixed(0)}/s`,
      ratio: rates(a) / rates(reference),
      bar,
    });
    return [
      row('vs plain Fastify', b, { at: 'least', value: 0.5 }),
      {
        name: `rest: page of ${size}, server processor time, vs plain Fastify`,
        ours: `${costs(a).toFixed(0)} us`,
        reference: `${costs(b).toFixed(0)} us`,
        ratio: costs(b) / costs(a),
        bar: null,
      },
      row('vs same plugins without the bridge', c, null),
    ];
  } finally {
    if (child.connected) child.send('stop');
    else kill();
    await exited;
    process.off('exit', kill);
  }
}

/**
 * The REST transport with its call pipeline, validation and encoding, for a handler without a database, compared with
 * a Fastify route with the same body. Real HTTP, 16 keep-alive connections.
 */
export async function rest(servers: TestServers, settings: Settings): Promise<Row[]> {
  const { url, drop } = await createTestDatabase(servers, 'postgres', 2);
  try {
    return [...(await pageOf(3, url, settings)), ...(await pageOf(100, url, settings))];
  } finally {
    await drop();
  }
}
