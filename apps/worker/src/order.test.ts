import { expect, test } from 'vitest';
import { ascendingRuns } from './job-publisher.ts';
import { rounds } from './redrive.ts';

const messages = (text: string) => text.split(' ').map((each) => ({ key: each[0] ?? '', uuid: each.slice(1) }));

test.each([
  ['nothing', [], []],
  ['ids in order', messages('a1 a2 b1 b2'), [4]],
  ['ids of different keys need no order', messages('b9 a1 b9 a2'), [4]],
  ['a clock that was behind', messages('a2 a1 b1'), [1, 2]],
  ['again and again', messages('a3 a2 a1'), [1, 1, 1]],
])('%s: a queue that sorts by id within an insert keeps the order of the outbox', (_what, given, sizes) => {
  const runs = ascendingRuns(given);
  expect(runs.flat()).toEqual(given);
  expect(runs.map((run) => run.length)).toEqual(sizes);
  for (const run of runs) {
    for (const key of new Set(run.map((message) => message.key))) {
      const ids = run.filter((message) => message.key === key).map(({ uuid }) => uuid);
      expect(ids).toEqual(ids.toSorted());
    }
  }
});

const letter = (id: string, singletonKey: string | null, second: number, sourceName = 'job') => ({
  id,
  sourceName,
  sourceId: id,
  sourceCreatedOn: new Date(second * 1_000),
  singletonKey,
});

test('dead letters of one key go back one after the other, oldest first; those without a key all at once', () => {
  const found = rounds([
    letter('late', 'k', 3),
    letter('early', 'k', 1),
    letter('other', 'x', 2),
    letter('same key of another job', 'k', 5, 'else'),
    letter('free', null, 4),
    letter('free too', null, 0),
    letter('middle', 'k', 2),
  ]);
  expect(found.map((round) => round.map(({ id }) => id))).toEqual([
    ['free too', 'early', 'other', 'free', 'same key of another job'],
    ['middle'],
    ['late'],
  ]);
});
