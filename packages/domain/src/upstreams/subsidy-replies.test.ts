import { timeText } from '@enterprise-access/db';
import { describe, expect, test } from 'vitest';
import { subsidyReply } from './subsidy-replies.ts';

const row = (active: string) => ({
  uuid: 'a',
  enterprise_customer_uuid: 'b',
  active_datetime: active,
  expiration_datetime: null,
  current_balance: 1,
  total_deposits: 1,
});

describe('times of the subsidy service', () => {
  test.each([
    '2026-01-02T03:04:05Z',
    '2026-01-02T03:04:05.123456Z',
    '2026-01-02T03:04:05.120Z',
    '2026-01-02T05:04:05+02:00',
    '2026-01-02 03:04:05Z',
  ])('%s passes unchanged, and is the instant that it names', (text) => {
    const { activeDatetime } = subsidyReply.parse(row(text));
    expect(activeDatetime && timeText(activeDatetime)).toBe(text);
    expect(activeDatetime?.toISOString().slice(0, 19)).toBe('2026-01-02T03:04:05');
  });

  test.each(['2026-02-30T00:00:00Z', '2026-01-01T24:00:00Z', 'soon'])('%s is no time', (text) => {
    expect(subsidyReply.safeParse(row(text)).success).toBe(false);
  });
});
