import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { configurationPage } from './configuration.ts';
import { toldApart } from './lint-ignore.ts';
import { fileOf, outputs } from './outputs.ts';

describe.for(outputs)('$path', (output) => {
  test('is what `npm run generate` writes', async () => {
    const committed = await readFile(fileOf(output), 'utf8');
    expect(committed === output.text(), `${output.path} is not current; run \`npm run generate\``).toBe(true);
  });
});

test('a variable without a description stops the generator', () => {
  expect(() => configurationPage({ API: z.object({ NAMELESS: z.string() }) })).toThrow();
});

test('a variable is shown with its default, its bounds and its meaning', () => {
  const NAME = z.string().describe('Who.');
  const page = configurationPage({
    API: z.object({
      SIZE: z.coerce.number().int().min(1).max(9).default(3).describe('How many | how large.'),
      NAME,
      JOBS: z.string().optional().describe('To look at.'),
    }),
    worker: z.object({ NAME, JOBS: z.string().describe('To work on.') }),
  });
  expect(page).toContain('| `SIZE` | `3` | 1 to 9 | API | How many \\| how large. |');
  expect(page).toContain('| `NAME` | **required** | text | both | Who. |');
  expect(page).toContain(
    '| `JOBS` | API: not set; worker: **required** | text | both | API: To look at.; worker: To work on. |',
  );
});

const path = (...names: string[]) => ({
  get: { parameters: names.map((name) => ({ name, schema: name === 'uuid' ? { format: 'uuid' } : {} })) },
});

test.each([
  ['a uuid is no word', { '/a/list/{uuid}': path('uuid'), '/a/{uuid}/stop': path('uuid') }, ['/a/{uuid}/stop']],
  ['a name can be any word', { '/a/list/{name}': path('name'), '/a/{name}/stop': path('name') }, []],
  ['other words are no question', { '/a/{uuid}/go': path('uuid'), '/a/{uuid}/stop': path('uuid') }, []],
])('addresses that are told apart: %s', (_case, paths, expected) => {
  expect(toldApart(paths)).toEqual(expected);
});
