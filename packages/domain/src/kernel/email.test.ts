import { expect, test } from 'vitest';
import { foldEmail, isPlainEmail } from './email.ts';

test.each([
  ['Ada@Example.COM', 'ada@example.com'],
  ['\u212Aim@x.example', '\u212Aim@x.example'],
  ['\u0130@x.example', '\u0130@x.example'],
  ['Ä@x.example', 'Ä@x.example'],
])('folds the ASCII letters of %s and nothing else', (email, folded) => {
  expect(foldEmail(email)).toBe(folded);
});

test.each([
  ["O'Neil+tag@a-b.example", true],
  ['r&d@x.xn--p1ai', true],
  ['\u212Aim@x.example', false],
  ['kim@x.exam\u017Fle.org', false],
  ['kim@x.example ', false],
  ['"kim"@x.example', false],
  ['kim', false],
  ['', false],
  [`${'a'.repeat(250)}@x.example`, false],
])('%j is a plain address: %j', (email, isPlain) => {
  expect(isPlainEmail(email)).toBe(isPlain);
});
