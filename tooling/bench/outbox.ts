import { appendToOutbox, claimMessage, type Dialect, transaction } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { PgBoss } from 'pg-boss';
import { startWorker } from '../../apps/worker/src/worker.ts';
import { alternate, median, type Row, type Settings } from './measure.ts';
import { dialectsOf } from './setting.ts';
import { keyOf, makeWorkerSetting, type Payload, payloadOf, type WorkerSetting, workJob } from './worker-setting.ts';

const JOBS = 1_500;
/** Rows of one transaction, and jobs of one insert. */
const CHUNK = 500;

const chunks = (): Payload[][] => {
  const all = Array.from({ length: JOBS }, (_, number) => payloadOf(number));
  return Array.from({ length: JOBS / CHUNK }, (_, index) => all.slice(index * CHUNK, (index + 1) * CHUNK));
};

/** Resolves after a number of ticks. */
function countdown(count: number): { tick: () => void; done: Promise<void> } {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let left = count;
  return {
    done,
    tick() {
      left -= 1;
      if (left === 0) resolve();
    },
  };
}

/** Jobs per second from the first row in the outbox to the last effect. */
async function ours({ db, env, runtime }: WorkerSetting, name: string, isKeyed: boolean) {
  let current = countdown(JOBS);
  const job = workJob(name, isKeyed, () => current.tick());
  const worker = await startWorker({ env, runtime, jobs: [job], consumers: [], schedules: [] });
  return {
    async rate(): Promise<number> {
      current = countdown(JOBS);
      const start = performance.now();
      for (const chunk of chunks()) {
        await db.transaction((trx) =>
          appendToOutbox(
            trx,
            new Date(),
            chunk.map((payload) => ({
              enterpriseCustomerUuid: null,
              kind: 'job',
              name,
              key: keyOf(payload.number),
              payload,
            })),
          ),
        );
      }
      await current.done;
      return JOBS / ((performance.now() - start) / 1_000);
    },
    stop: () => worker.stop(),
  };
}

/** The same jobs with the same work, inserted directly into a queue with pg-boss's own API. */
async function reference({ db, env }: WorkerSetting, name: string, isKeyed: boolean) {
  let current = countdown(JOBS);
  const boss = new PgBoss({
    connectionString: env.JOBS_DATABASE_URL,
    useListenNotify: true,
    superviseIntervalSeconds: 5,
  });
  boss.on('error', (error) => process.stderr.write(`${error.message}\n`));
  await boss.start();
  await boss.createQueue(name, {
    policy: isKeyed ? 'key_strict_fifo' : 'standard',
    heartbeatSeconds: 15,
    notify: true,
  });
  const settings = { batchSize: env.JOBS_CONCURRENCY, pollingIntervalSeconds: 0.5 } as const;
  let worker = '';
  worker = await boss.work<{ payload: Payload }>(name, settings, async (batch) => {
    const work = batch.map(({ id, data }) =>
      transaction(db, async (trx) => {
        if (!(await claimMessage(trx, { consumer: `job:${name}`, messageId: id, received: new Date() }))) return;
        await trx('bench_effects').insert({ number: data.payload.number });
      }),
    );
    await Promise.all(work);
    for (const _ of batch) current.tick();
    // Like our worker: fetch the next batch immediately.
    boss.notifyWorker(worker);
  });
  return {
    async rate(): Promise<number> {
      current = countdown(JOBS);
      const start = performance.now();
      for (const chunk of chunks()) {
        await boss.insert(
          name,
          chunk.map((payload) => ({
            data: { payload, trace: null },
            ...(isKeyed ? { singletonKey: keyOf(payload.number) } : {}),
          })),
        );
      }
      await current.done;
      return JOBS / ((performance.now() - start) / 1_000);
    },
    stop: () => boss.stop({ graceful: true, timeout: 5_000 }),
  };
}

async function compare(servers: TestServers, dialect: Dialect, isKeyed: boolean, rounds: number): Promise<Row> {
  const [setting, other] = [await makeWorkerSetting(servers, dialect), await makeWorkerSetting(servers, dialect)];
  const a = await ours(setting, 'bench.work', isKeyed);
  const b = await reference(other, 'bench.work', isKeyed);
  try {
    await alternate(1, [a.rate, b.rate]);
    const [left = [], right = []] = await alternate(rounds, [a.rate, b.rate]);
    return {
      name: `outbox: row to finished job, ${isKeyed ? 'with' : 'without'} keys, ${dialect}`,
      ours: `${median(left).toFixed(0)}/s`,
      reference: `${median(right).toFixed(0)}/s pg-boss alone`,
      ratio: median(left) / median(right),
      bar: { at: 'least', value: 0.5 },
    };
  } finally {
    await a.stop();
    await b.stop();
    await setting.stop();
    await other.stop();
  }
}

/** Jobs through the outbox, compared with the same jobs inserted directly into pg-boss. */
export async function outbox(servers: TestServers, { rounds }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    for (const isKeyed of [false, true]) rows.push(await compare(servers, dialect, isKeyed, rounds));
  }
  return rows;
}
