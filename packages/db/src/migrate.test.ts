import { expect, inject, test, describe } from 'vitest';
import { createTestDatabase } from './testing.ts';
import { migrate } from './migrate.ts';
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
describe.each(dialects)('%s', (dialect) => {
  test('x', async () => {
    const d = await createTestDatabase(inject('servers'), dialect, 2, { migrated: false });
    const said: string[] = [];
    console.log(await migrate(d.db, { say: (s) => said.push(s) }), said);
    console.log(await migrate(d.db));
    await d.drop();
  });
});
