import { readFile } from 'node:fs/promises';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { enqueue, jobs } from '@enterprise-access/domain';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { learnerToken } from '../../../api/test/support/harness.ts';
import { redeemAt, startApiProcess } from '../../../api/test/support/processes.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';

const DASHBOARD = new URL('../../../../docs/operations/grafana-dashboard.json', import.meta.url);
const COURSE = 'course-v1:edX+DemoX+2T2026';

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** Samples of a process: name and labels, such as `name{a="b"}`, with their values. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = text.split('\n').flatMap((line): [string, number][] => {
    const found = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line);
    return found ? [[found[1] ?? '', Number(found[2])]] : [];
  });
  return new Map(samples);
}

const METRIC = /\b(?:enterprise_access|nodejs|process)_[a-z0-9_]+/g;
/** The labels that a query names: where it groups and where it chooses. Prometheus itself adds the instance. */
const labelsOf = (expr: string): string[] =>
  [...expr.matchAll(/by \(([^)]*)\)|(\w+)=~?"/g)]
    .flatMap(([, grouped, chosen]) => grouped?.split(/,\s*/) ?? [chosen ?? ''])
    .filter((label) => label !== 'instance');

describe('metrics of the running processes', () => {
  let stopAll: () => Promise<void>;
  let api: Awaited<ReturnType<typeof startApiProcess>>;
  let worker: Awaited<ReturnType<typeof startWorkerProcess>>;
  beforeAll(async () => {
    const business = await createTestDatabase(inject('servers'), 'postgres', 2);
    const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    await seedDemonstration(business.db);
    const sandbox = await startSandbox({});
    api = await startApiProcess(business.url, sandbox.url);
    worker = await startWorkerProcess(settingsFor(business.url, queues.url, sandbox.url));
    stopAll = async () => {
      await api.stop();
      await worker.stop();
      await sandbox.close();
      await business.drop();
      await queues.drop();
    };
    const redeem = (course: string, learner = 1000) =>
      redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner), {
        lms_user_id: learner,
        content_key: course,
      });
    expect((await redeem(COURSE))?.status).toBe(200);
    expect((await redeem('course-v1:edX+Nothing+2026', 1001))?.status).toBe(422);
    const expire = jobs.find(({ contract }) => contract.name === 'housekeeping.expire');
    if (!expire) throw new Error('The job is gone.');
    await business.db.transaction((trx) => enqueue(trx, new Date(), expire.contract, {}));
    // The events of the redemption went out and came in.
    await vi.waitFor(
      async () => {
        const samples = await scrape(worker.url);
        expect(samples.get('enterprise_access_outbox_relayed_total{kind="event"}')).toBeGreaterThan(0);
        expect(samples.get('enterprise_access_outbox_waiting')).toBe(0);
        expect(samples.get('enterprise_access_job_seconds_count{job="housekeeping.expire",outcome="completed"}')).toBe(
          1,
        );
        expect([...samples.keys()].some((name) => name.startsWith('enterprise_access_consumer_lag{'))).toBe(true);
      },
      { timeout: 30_000, interval: 100 },
    );
  });
  afterAll(() => stopAll());

  test('redemptions are counted by outcome and reason, calls by service and outcome, answers of the cache', async () => {
    const samples = await scrape(api.url);
    const value = (name: string) => samples.get(`enterprise_access_${name}`);
    expect(value('redemptions_total{outcome="committed",reason=""}')).toBe(1);
    expect(value('redemptions_total{outcome="refused",reason="content_not_in_catalog"}')).toBe(1);
    for (const service of ['lms', 'catalog'])
      expect(value(`upstream_seconds_count{service="${service}",outcome="answered"}`)).toBeGreaterThan(0);
    expect(value('cache_total{outcome="miss"}')).toBeGreaterThan(0);
    expect(value('request_seconds_count{operation="redemptions.redeem",method="POST",status="200"}')).toBe(1);
    expect(value('database_connections_limit')).toBe(20);
    expect(
      (value('database_connections{state="used"}') ?? 0) + (value('database_connections{state="free"}') ?? 0),
    ).toBeGreaterThan(0);
    expect(value('open_streams')).toBe(0);
  });

  test('the worker exposes queues, stuck redemptions and dead letters', async () => {
    const samples = await scrape(worker.url);
    for (const state of ['ready', 'deferred', 'active', 'failed'])
      expect(samples.get(`enterprise_access_queue_jobs{queue="dead-letters",state="${state}"}`)).toBe(0);
    expect(samples.get('enterprise_access_redemptions_stuck')).toBe(0);
    expect(samples.get('enterprise_access_dead_letters')).toBe(0);
  });

  test('every metric and label that the dashboard names is there', async () => {
    const dashboard: { panels: Panel[] } = JSON.parse(await readFile(DASHBOARD, 'utf8'));
    const texts = await Promise.all([api, worker].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
    const declared = new Map<string, string[]>();
    for (const line of texts.join('\n').split('\n')) {
      const name = /^# TYPE (\S+)/.exec(line)?.[1] ?? /^([a-z0-9_]+)/.exec(line)?.[1];
      if (name === undefined) continue;
      const labels = [...line.matchAll(/(\w+)="/g)].map(([, label]) => label ?? '');
      declared.set(name, [...(declared.get(name) ?? []), ...labels]);
    }
    const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    expect(queries.length).toBeGreaterThan(20);
    for (const { title, expr } of queries) {
      const names = expr.match(METRIC) ?? [];
      expect(names.length, title).toBeGreaterThan(0);
      for (const name of names) {
        expect([...declared.keys()], title).toContain(name);
        for (const label of labelsOf(expr)) expect(declared.get(name), `${title}: ${name}`).toContain(label);
      }
    }
  });

  test('every metric is on the dashboard', async () => {
    const dashboard = await readFile(DASHBOARD, 'utf8');
    for (const { url } of [api, worker]) {
      const text = await (await fetch(`${url}/metrics`)).text();
      for (const [, name = ''] of text.matchAll(/^# TYPE (enterprise_access_\S+)/gm))
        expect(dashboard.includes(name), `${name} is on no panel of the dashboard`).toBe(true);
    }
  });
});
