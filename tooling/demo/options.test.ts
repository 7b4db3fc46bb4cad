import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readOptions, UsageError } from './options.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-options-'));
  await writeFile(join(folder, 'broken.csv'), 'course_run_key\n"course-v1:a+b+c\n');
  await writeFile(join(folder, 'other.csv'), 'key\ncourse-v1:a+b+c\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([
  ['an option that there is not', ['--learner', '3'], /^Unknown option '--learner'/],
  ['a number that is none', ['--learners', 'x'], /^--learners must be a whole number/],
  ['a file that is not there', ['--catalog', 'nowhere.csv'], /^There is no file .*nowhere\.csv\.$/],
  ['a file that is no CSV', ['--catalog', 'broken.csv'], /^Quote Not Closed/],
  ['a file without the column', ['--catalog', 'other.csv'], /has no filled column course_run_key\.$/],
  ['a server elsewhere', ['--url', 'https://example.com'], /^--url must be an http:\/\/ address of this machine/],
])('%s is told in a sentence', (_case, args, message) => {
  const given = args.map((text) => (text.endsWith('.csv') ? join(folder, text) : text));
  expect(() => readOptions(given)).toThrow(UsageError);
  expect(() => readOptions(given)).toThrow(message);
});
