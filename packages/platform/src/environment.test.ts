import { campaigns } from '@enterprise-access/domain';
import { expect, test } from 'vitest';
import { parseEnvironment, serviceEnvironment } from './environment.ts';

const minimal = {
  DATABASE_URL: 'postgres://db.test/access',
  LMS_URL: 'http://lms.test',
  ENTERPRISE_CATALOG_URL: 'http://catalog.test',
  OAUTH2_URL: 'http://lms.test',
  BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
  BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
};
const read = (change: Record<string, string>) => parseEnvironment(serviceEnvironment, { ...minimal, ...change });

test.each([
  [{}, null],
  [{ BRAZE_API_URL: 'http://braze.test', BRAZE_API_KEY: 'key' }, null],
  [{ BRAZE_API_URL: '', BRAZE_API_KEY: '' }, null],
  [{ BRAZE_API_URL: 'http://braze.test' }, 'BRAZE_API_URL and BRAZE_API_KEY are set together or not at all.'],
  [{ BRAZE_API_KEY: 'key' }, 'BRAZE_API_URL and BRAZE_API_KEY are set together or not at all.'],
  [{ BRAZE_API_URL: 'braze', BRAZE_API_KEY: 'key' }, 'BRAZE_API_URL is not valid: Invalid URL.'],
])('a mail service is an address and a key: %o', (change, problem) => {
  if (problem === null) expect(read(change)).toBeTruthy();
  else expect(() => read(change)).toThrow(problem);
});

test('each campaign has its variable, and an empty one counts as not set', () => {
  const [first = '', second = ''] = Object.keys(campaigns);
  const env = read({ [first]: 'campaign-1', [second]: '' });
  expect([env[first as keyof typeof env], env[second as keyof typeof env]]).toEqual(['campaign-1', undefined]);
  expect(Object.keys(campaigns).every((name) => name in serviceEnvironment.shape)).toBe(true);
});
