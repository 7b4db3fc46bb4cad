import { expect, test } from 'vitest';
import { balanced, slowestFirst } from './order.ts';

const seconds: Readonly<Record<string, number>> = { crash: 60, kills: 50, bulk: 40, a: 1, b: 1, c: 1 };
const files = ['a', 'bulk', 'b', 'crash', 'c', 'kills'];
const secondsOf = (file: string) => seconds[file] ?? 0;

test('slow files come first; those of one duration stay in their order', () => {
  expect(slowestFirst(files, secondsOf)).toEqual(['crash', 'kills', 'bulk', 'a', 'b', 'c']);
});

test('shards have every file once, and about the same to do', () => {
  const parts = balanced(files, 2, secondsOf);
  expect(parts).toEqual([
    ['crash', 'a', 'b', 'c'],
    ['kills', 'bulk'],
  ]);
  expect(balanced(files, 1, secondsOf).flat()).toHaveLength(files.length);
});

test('files may be fewer than shards', () => {
  expect(balanced(['a'], 3, secondsOf)).toEqual([['a'], [], []]);
});
