import { expect, test } from 'vitest';
import { reversed } from '../test/events.ts';
import { readHeaders, sourceOf, writeHeaders } from './headers.ts';

test('headers of an outgoing event (worked example 5)', () => {
  const event = { ...reversed(), time: new Date('2026-03-02T10:00:00.000Z') };
  const headers = writeHeaders(event, {
    source: sourceOf('enterprise_subsidy'),
    contentType: 'application/avro',
  });
  expect(headers).toEqual({
    ce_type: 'org.openedx.enterprise.subsidy_ledger_transaction.reversed.v1',
    ce_id: event.id,
    ce_source: 'openedx/enterprise_subsidy/web',
    ce_specversion: '1.0',
    ce_time: '2026-03-02T10:00:00.000+00:00',
    ce_minorversion: '0',
    ce_datacontenttype: 'application/avro',
    'content-type': 'application/avro',
    sourcehost: expect.any(String),
    sourcelib: '10.5.0',
  });
});

test.each([
  ['2026-03-01T10:00:05.123456+00:00', '2026-03-01T10:00:05.123Z'],
  ['2026-03-01T10:00:05+00:00', '2026-03-01T10:00:05.000Z'],
  ['2026-03-01T10:00:05Z', '2026-03-01T10:00:05.000Z'],
])('the time %s is understood', (text, expected) => {
  const headers = { ce_type: ['t'], ce_id: ['8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d'], ce_time: [text] };
  const raw = Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [name, values.map((v) => Buffer.from(v))]),
  );
  expect(readHeaders(raw, { now: new Date(0), source: 's' }).time.toISOString()).toBe(expected);
});

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('an event of a trace says so, and consumers read it', () => {
  const options = { source: 's', contentType: 'application/avro' };
  expect(writeHeaders({ ...reversed(), trace: TRACE }, options).traceparent).toBe(TRACE);
  expect(Object.keys(writeHeaders({ ...reversed(), trace: null }, options))).not.toContain('traceparent');
});

test.each([
  ['a trace context', [TRACE], TRACE],
  ['none', [], null],
  ['two of them', [TRACE, TRACE], null],
  ['nonsense', ['drop table'], null],
])('%s: no event is refused for it', (_what, values, expected) => {
  const headers = { ce_type: ['t'], ce_id: ['8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d'], traceparent: values };
  const raw = Object.fromEntries(Object.entries(headers).map(([name, all]) => [name, all.map((v) => Buffer.from(v))]));
  expect(readHeaders(raw, { now: new Date(0), source: 's' }).trace).toBe(expected);
});
