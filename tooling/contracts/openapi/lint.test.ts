import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT, redocly } from './redocly.ts';

const report = z.object({
  totals: z.object({ errors: z.int(), warnings: z.int() }),
  problems: z.array(z.object({ ruleId: z.string(), ignored: z.boolean().optional() })),
});

const problemsOf = async (file: string): Promise<string[]> => {
  const { problems } = report.parse(await redocly(ROOT, ['lint', file, '--config', join(ROOT, 'redocly.yaml')]));
  return problems.flatMap(({ ruleId, ignored }) => (ignored ? [] : [ruleId]));
};

test('the committed document passes the recommended rules without an error or a warning', async () => {
  expect(await problemsOf('openapi.json')).toEqual([]);
});

test('a document that breaks the rules is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-lint-'));
  try {
    const file = join(folder, 'openapi.json');
    const text = await readFile(join(ROOT, 'openapi.json'), 'utf8');
    await writeFile(file, text.replace('"operationId": "policies_list"', '"operationId": "policies_get"'));
    expect(await problemsOf(file)).toContain('operation-operationId-unique');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
