import { expect, test } from 'vitest';
import { retryingCollisions } from './allocate.ts';

const POLICY = '4ca49903-b66a-4fe9-a139-79d829deb944';
const collision = () => Promise.reject(Object.assign(new Error('duplicate key'), { code: '23505' }));

test('an allocation with conflicts in every round is refused with 429, and logs the reason', async () => {
  let rounds = 0;
  const work = () => {
    rounds += 1;
    return collision();
  };
  await expect(retryingCollisions(POLICY, work)).rejects.toMatchObject({
    spec: { code: 'policy_locked', status: 429 },
    details: { policyUuid: POLICY },
    cause: { code: '23505' },
  });
  expect(rounds).toBe(3);
});

test('one collision is looked at again, and other errors are not', async () => {
  let rounds = 0;
  const once = () => {
    rounds += 1;
    return rounds === 1 ? collision() : Promise.resolve('done');
  };
  expect(await retryingCollisions(POLICY, once)).toBe('done');
  await expect(retryingCollisions(POLICY, () => Promise.reject(new Error('other')))).rejects.toThrow('other');
});
