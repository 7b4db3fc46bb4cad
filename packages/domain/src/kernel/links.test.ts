import { expect, test } from 'vitest';
import { linkToPage, publicUrlOf } from './links.ts';

test.each([
  ['https://x.example', '/api/v1/a/?b=1', 'https://x.example/api/v1/a/?b=1'],
  ['https://x.example/access', '/api/v1/a/?b=1', 'https://x.example/access/api/v1/a/?b=1'],
  ['https://x.example/access', 'http://evil.example/api/v1/a/?b=1', 'https://x.example/access/api/v1/a/?b=1'],
  ['https://x.example/access', 'http://evil.example?b=1', 'https://x.example/access/?b=1'],
  ['https://x.example', '//evil.example/a', 'https://x.example//evil.example/a'],
  ['https://x.example', 'http://[/a', 'https://x.example/a'],
])('under %s the request %s is %s', (publicUrl, target, expected) => {
  expect(publicUrlOf({ publicUrl }, target).href).toBe(expected);
});

test('the link to another page keeps the path of the public address and the other parameters', () => {
  const url = publicUrlOf({ publicUrl: 'https://x.example/access' }, '/api/v1/a/?b=1&page=2');
  expect(linkToPage(url, 3)).toBe('https://x.example/access/api/v1/a/?b=1&page=3');
  expect(linkToPage(url, 1)).toBe('https://x.example/access/api/v1/a/?b=1');
  expect(linkToPage(url, 1, { namesFirst: true })).toBe('https://x.example/access/api/v1/a/?b=1&page=1');
});
