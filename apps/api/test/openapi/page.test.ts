import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp } from '../support/harness.ts';

let world: Awaited<ReturnType<typeof startApp>>;
beforeAll(async () => {
  world = await startApp('postgres');
});
afterAll(() => world.stop());

const get = (url: string) => world.app.inject({ method: 'GET', url });

test('the page of the document holds and loads nothing from elsewhere', async () => {
  const page = await get('/docs');
  const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) expect([link, (await get(link)).statusCode]).toEqual([link, 200]);
  expect(page.headers['content-security-policy']).not.toMatch(/https?:|\w\.\w/);
});

test('the page works over plain HTTP under any host name: browsers are not told to upgrade to HTTPS', async () => {
  const page = await get('/docs');
  expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  expect(page.headers['content-security-policy']).not.toContain('upgrade-insecure-requests');
});
