import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditBooks } from '@enterprise-access/domain';
import { useService } from '@enterprise-access/services/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { runSchemathesis } from './rest.ts';
import { callers, startTarget } from './target.ts';
import { sendTrpc } from './trpc.ts';

const services = inject('services');
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const SEED = 20_261_128;
/** Few requests; `npm run fuzz` sends more. */
const PER_CALLER = 250;

describe.each(dialects)('generated requests on %s', (dialect) => {
  let target: Awaited<ReturnType<typeof startTarget>>;
  beforeAll(async () => {
    target = await startTarget(inject('servers'), dialect);
  });
  afterAll(() => target.stop());

  test.each(callers)('tRPC answers the $name as its contracts say', { timeout: 60_000 }, async (caller) => {
    const sent = await sendTrpc(target.url, caller, { requests: PER_CALLER, seed: SEED });
    expect(sent.failures.join('\n\n')).toBe('');
    expect(sent.requests).toBeGreaterThanOrEqual(PER_CALLER);
    // Successes must be among them: otherwise only the outermost checks were tried.
    if (caller.name === 'operator') expect(sent.statuses[200] ?? 0).toBeGreaterThan(0);
    expect(await auditBooks(target.db)).toEqual([]);
  });

  describe.skipIf(services.missing.fuzz)('by schemathesis', () => {
    test.each(callers)('REST answers the $name as its document says', { timeout: 120_000 }, async (caller) => {
      await useService(services, 'fuzz');
      const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-fuzz-'));
      try {
        const wanted = { examples: 2, seed: SEED, phases: 'examples,fuzzing', seconds: 6, folder };
        const before = target.requests();
        const { isGood, report } = await runSchemathesis(target.url, caller, wanted);
        expect(isGood, report).toBe(true);
        expect(target.requests() - before).toBeGreaterThan(5);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
      expect(await auditBooks(target.db)).toEqual([]);
    });
  });
});
