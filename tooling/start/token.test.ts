import { expect, test } from 'vitest';
import { readArguments } from './token.ts';

const uuid = '11111111-1111-4111-8111-111111111111';

test('the arguments are what the token says', () => {
  const args = ['--role', 'enterprise_admin', '--role', 'enterprise_learner', '--enterprise', uuid, '--user', '42'];
  expect(readArguments(args)).toEqual({
    roles: ['enterprise_admin', 'enterprise_learner'],
    enterprise: uuid,
    userId: 42,
    isStaff: false,
    hours: 24,
  });
  expect(readArguments(['--help'])).toBeNull();
});

test.each([
  ['no role', ['--user', '1'], '--role is missing.'],
  ['a role that nobody knows', ['--role', 'admin', '--user', '1'], '--role admin is none of enterprise_learner'],
  ['no user', ['--role', 'enterprise_admin'], '--user must be'],
  [
    'a customer that is no UUID',
    ['--role', 'enterprise_admin', '--user', '1', '--enterprise', 'x'],
    '--enterprise must',
  ],
  ['a lifetime that is none', ['--role', 'enterprise_admin', '--user', '1', '--hours', 'x'], '--hours must be'],
  ['an option that there is not', ['--roles', 'enterprise_admin'], "Unknown option '--roles'"],
])('%s is refused in a sentence instead of a token that opens nothing', (_case, args, message) => {
  expect(() => readArguments(args)).toThrow(message);
});
