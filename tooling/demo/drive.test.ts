import { describe, expect, test } from 'vitest';
import { drive } from './drive.ts';

const POLICY = 'policy';

/** A server at which each learner may redeem so many course runs, and nobody the forbidden ones. */
function serverWith({ share = Number.POSITIVE_INFINITY, forbidden = [] as string[] } = {}) {
  const redeemed = new Map<string, number>();
  const sharesOf = (userId: number) => [...redeemed.values()].filter((owner) => owner === userId).length;
  const refusals = (userId: number, key: string) => {
    if (forbidden.includes(key)) return ['content_not_in_catalog'];
    return sharesOf(userId) >= share ? ['reason_learner_not_assigned_content', 'learner_max_spend_reached'] : [];
  };
  return {
    redeemed,
    canRedeem: async (userId: number, [key = '']: readonly string[]) => {
      const isOwn = redeemed.get(key) === userId;
      const reasons = isOwn ? [] : refusals(userId, key).map((reason) => ({ reason }));
      const body = [
        {
          content_key: key,
          can_redeem: !isOwn && reasons.length === 0,
          has_successful_redemption: isOwn,
          redemptions: [],
          reasons,
          redeemable_subsidy_access_policy: isOwn || reasons.length > 0 ? null : { uuid: POLICY },
        },
      ];
      return { status: 200, body, ms: 1 };
    },
    redeem: async (userId: number, _policy: string, key: string) => {
      const [reason] = refusals(userId, key);
      if (reason) return { status: 422, body: [{ reason }], ms: 1 };
      redeemed.set(key, userId);
      return { status: 200, body: {}, ms: 1 };
    },
  };
}

const courses = ['a', 'b', 'c', 'd', 'e'];
const options = { firstLearner: 1_000, learners: 3, courses, concurrency: 2, cover: true, onProgress: () => undefined };

describe('covering a catalog', () => {
  test('each course run is redeemed once, learners in turn', async () => {
    const server = serverWith();
    const outcome = await drive(server, options);
    expect(outcome).toMatchObject({ redeemed: 5, attempted: 5, uncovered: [] });
    expect(courses.map((key) => server.redeemed.get(key))).toEqual([1_000, 1_001, 1_002, 1_000, 1_001]);
  });

  test('learners whose share is used up are skipped', async () => {
    const server = serverWith({ share: 2 });
    server.redeemed.set('x', 1_000).set('y', 1_000);
    const outcome = await drive(server, { ...options, courses: courses.slice(0, 4), concurrency: 1 });
    expect(outcome).toMatchObject({ redeemed: 4, uncovered: [] });
    expect([...server.redeemed.values()].filter((owner) => owner === 1_000)).toHaveLength(2);
  });

  test('courses that nobody can redeem are listed, after one attempt or after all learners', async () => {
    expect((await drive(serverWith({ forbidden: ['c'] }), options)).uncovered).toEqual(['c']);
    const { attempted, uncovered } = await drive(serverWith({ share: 0 }), { ...options, courses: ['a'] });
    expect({ attempted, uncovered }).toEqual({ attempted: 3, uncovered: ['a'] });
  });

  test('a second run finds everything redeemed', async () => {
    const server = serverWith();
    await drive(server, options);
    expect(await drive(server, options)).toMatchObject({ redeemed: 0, alreadyRedeemed: 5, uncovered: [] });
  });
});

test('without covering, every learner redeems every course run', async () => {
  const outcome = await drive(serverWith(), { ...options, cover: false });
  expect(outcome).toMatchObject({ attempted: 15, uncovered: [] });
});
