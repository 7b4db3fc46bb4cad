import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { newUuid } from '../kernel/ids.ts';
import { defineMail, type Mail, MailInDoubt, MailOff, MailRefused, type Recipient } from '../kernel/ports/mail.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import { apiKey, httpBraze } from '../upstreams/braze.ts';
import { upstream } from '../upstreams/http.ts';
import { control, requestsTo } from '../upstreams/testing.ts';
import { mailDelivery } from './delivery.ts';

const CAMPAIGN = 'campaign-of-the-test';
const kind = defineMail({
  name: 'test.hello',
  campaign: 'BRAZE_ASSIGNMENT_NOTIFICATION_CAMPAIGN',
  properties: z.strictObject({ course_title: z.string() }),
});
const other = defineMail({ ...kind, campaign: 'BRAZE_APPROVE_NOTIFICATION_CAMPAIGN' });
const properties = { course_title: 'Demo' };
const SEND = '/braze/campaigns/trigger/send';

const known: Recipient = { email: 'known@demo.example', lmsUserId: 1000 };
const invited: Recipient = { email: 'invited@demo.example', lmsUserId: null };
const bad: Recipient = { email: 'fail@demo.example', lmsUserId: null };
const crowd = (count: number): Recipient[] =>
  Array.from({ length: count }, (_, index) => ({ email: `learner-${index}@demo.example`, lmsUserId: index + 1 }));

const CUSTOMER = '22222222-2222-4222-8222-222222222222';

interface SandboxMail {
  campaignId: string;
  triggerProperties: unknown;
  recipients: { attributes: { email: string } }[];
}

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('mails on %s', (dialect) => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  let mail: Mail;
  let now: Date;
  let key: string;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect);
    sandbox = await startSandbox({ now: () => now });
  });
  afterAll(async () => {
    await sandbox.close();
    await database.drop();
  });
  const mailWith = (change: Partial<Parameters<typeof mailDelivery>[0]> = {}): Mail =>
    mailDelivery({
      db: database.db,
      clock: () => now,
      // A client of its own for each test: one test's outage shall not cut off the next.
      braze: httpBraze(
        upstream({
          service: 'braze',
          baseUrl: `${sandbox.url}/braze`,
          token: apiKey('key'),
          scheme: 'Bearer',
          timeoutMs: 2_000,
        }),
      ),
      campaignIds: { [kind.campaign]: CAMPAIGN },
      ...change,
    });
  beforeEach(async () => {
    now = new Date('2026-06-01T12:00:00Z');
    key = newUuid();
    await database.db('mail_deliveries').delete();
    await control(sandbox, 'POST', '/control/reset');
    mail = mailWith();
  });

  const later = (seconds: number) => {
    now = new Date(now.getTime() + seconds * 1_000);
  };
  const fault = (path: string, what: object) => control(sandbox, 'PUT', '/control/faults', { path, ...what });
  const mails = async () => ((await control(sandbox, 'GET', '/control/mails')) as { mails: SandboxMail[] }).mails;
  const readers = async () =>
    (await mails()).flatMap(({ recipients }) => recipients.map(({ attributes }) => attributes.email));
  const send = (...recipients: Recipient[]) =>
    mail.send(kind, { enterpriseCustomerUuid: CUSTOMER, key, recipients, properties });

  test('a recipient with an account is identified and addressed by account', async () => {
    expect(await send(known)).toEqual({ sent: 1, repeated: 0, refused: [] });
    const { calls } = (await control(sandbox, 'GET', '/control/mails')) as { calls: unknown };
    const alias = { alias_label: 'Enterprise', alias_name: known.email };
    expect(calls).toMatchObject([
      { path: '/users/identify', body: { aliases_to_identify: [{ external_id: 1000, user_alias: alias }] } },
    ]);
    expect(await mails()).toMatchObject([
      {
        campaignId: CAMPAIGN,
        triggerProperties: properties,
        recipients: [
          {
            external_user_id: 1000,
            attributes: {
              user_alias: alias,
              email: known.email,
              is_enterprise_learner: true,
              _update_existing_only: false,
            },
            send_to_existing_only: false,
            trigger_properties: {},
          },
        ],
      },
    ]);
  });

  test('a recipient without an account gets an alias, created once', async () => {
    await send(invited);
    key = newUuid();
    await send(invited);
    const { calls } = (await control(sandbox, 'GET', '/control/mails')) as { calls: { path: string; body: object }[] };
    expect(calls.map(({ path }) => path)).toEqual([
      '/users/export/ids',
      '/users/alias/new',
      '/users/track',
      '/users/export/ids',
    ]);
    const alias = { alias_label: 'Enterprise', alias_name: invited.email };
    expect(calls[2]).toMatchObject({ body: { attributes: [{ user_alias: alias, email: invited.email }] } });
    expect((await mails())[0]?.recipients).toEqual([
      { user_alias: alias, attributes: { email: invited.email, is_enterprise_learner: true } },
    ]);
  });

  test('a mail is sent once, for any caller and any spelling of the address', async () => {
    await send(known);
    expect(await send(known)).toEqual({ sent: 0, repeated: 1, refused: [] });
    const shouted = { ...known, email: 'KNOWN@demo.example' };
    expect(await send(shouted, invited)).toEqual({ sent: 1, repeated: 1, refused: [] });
    expect(await readers()).toEqual([known.email, invited.email]);
  });

  test('another key is another mail', async () => {
    await send(known);
    key = newUuid();
    expect(await send(known)).toMatchObject({ sent: 1 });
  });

  test('concurrent sends of one mail send it once; the others are asked to retry', async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => send(known)));
    expect(await readers()).toEqual([known.email]);
    const unsettled = all.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    for (const { reason } of unsettled) expect(reason).toBeInstanceOf(MailInDoubt);
    expect(await send(known)).toMatchObject({ repeated: 1 });
  });

  test('recipients have attributes and properties of their own', async () => {
    const own = (recipient: Recipient, key: string) => ({
      ...recipient,
      attributes: { enterprise_default_language: 'es' },
      properties: { license_activation_key: key },
    });
    await mail.send(kind, {
      enterpriseCustomerUuid: CUSTOMER,
      key,
      recipients: [own(known, 'one'), own(invited, 'two')],
      properties,
    });
    expect((await mails())[0]?.recipients).toMatchObject(
      [known, invited].map(({ email }, at) => ({
        attributes: { email, enterprise_default_language: 'es' },
        trigger_properties: { license_activation_key: ['one', 'two'][at] },
      })),
    );
  });

  test('a bad address fails alone', async () => {
    expect(await send(...crowd(3), bad, invited)).toEqual({ sent: 4, repeated: 0, refused: [bad] });
    expect(new Set(await readers())).toEqual(new Set([...crowd(3), invited].map(({ email }) => email)));
    await expect(
      mail.send(kind, { enterpriseCustomerUuid: CUSTOMER, key: newUuid(), recipients: [bad], properties }),
    ).rejects.toThrow(MailRefused);
  });

  test('a large crowd is written to in calls that the service takes', async () => {
    expect(await send(...crowd(120))).toMatchObject({ sent: 120 });
    expect((await mails()).map(({ recipients }) => recipients.length)).toEqual([50, 50, 20]);
  });

  test('a service that is busy or shut delays: the next attempt may follow at once', async () => {
    await fault(SEND, { status: 429, times: 1 });
    await expect(send(known)).rejects.toMatchObject({ name: 'UpstreamFailure', isUndone: true });
    await fault('/braze/users/identify', { status: 500, times: 3 });
    await expect(send(known)).rejects.toThrow(UpstreamFailure);
    expect(await send(known)).toMatchObject({ sent: 1 });
    expect(await readers()).toEqual([known.email]);
  });

  test('a wrong key is an outage, and no judgement about people', async () => {
    await fault(SEND, { status: 403, times: 1 });
    await expect(send(known, invited)).rejects.toThrow(UpstreamFailure);
    expect(await requestsTo(sandbox, SEND)).toBe(1);
  });

  test('a mail that was sent without an answer is not sent again', async () => {
    await fault(SEND, { loseReply: true, times: 1 });
    await expect(send(known)).rejects.toThrow(UpstreamFailure);
    later(30);
    await expect(send(known)).rejects.toThrow(MailInDoubt);
    later(31);
    expect(await send(known)).toEqual({ sent: 0, repeated: 1, refused: [] });
    expect(await readers()).toEqual([known.email]);
    expect(await send(known)).toMatchObject({ repeated: 1 });
  });

  test('a mail that was lost without an answer is sent again', async () => {
    await fault(SEND, { dropConnection: true, times: 1 });
    await expect(send(invited)).rejects.toThrow(UpstreamFailure);
    later(61);
    expect(await send(invited)).toMatchObject({ sent: 1 });
    expect(await readers()).toEqual([invited.email]);
  });

  test('where another mail of the campaign hides the answer, none is lost', async () => {
    await fault(SEND, { dropConnection: true, times: 1 });
    await expect(send(known)).rejects.toThrow(UpstreamFailure);
    const first = key;
    key = newUuid();
    later(1);
    await send(known);
    key = first;
    later(61);
    expect(await send(known)).toMatchObject({ sent: 1 });
  });

  test('properties that the campaign does not know are refused before anything is sent', async () => {
    const wrong = { course_title: 1 } as unknown as typeof properties;
    await expect(
      mail.send(kind, { enterpriseCustomerUuid: CUSTOMER, key, recipients: [known], properties: wrong }),
    ).rejects.toThrow();
    expect(await requestsTo(sandbox, '/braze')).toBe(0);
  });

  test('without a campaign, or without a mail service, nothing is sent and the caller knows', async () => {
    expect([mail.canSend(kind), mail.canSend(other)]).toEqual([true, false]);
    await expect(
      mail.send(other, { enterpriseCustomerUuid: CUSTOMER, key, recipients: [known], properties }),
    ).rejects.toThrow(MailOff);
    const off = mailWith({ braze: null });
    expect(off.canSend(kind)).toBe(false);
    await expect(
      off.send(kind, { enterpriseCustomerUuid: CUSTOMER, key, recipients: [known], properties }),
    ).rejects.toThrow(MailOff);
    expect(await requestsTo(sandbox, '/braze')).toBe(0);
  });

  test('a mail without recipients is not an error', async () => {
    expect(await send()).toEqual({ sent: 0, repeated: 0, refused: [] });
    expect(await requestsTo(sandbox, '/braze')).toBe(0);
  });

  test('no address is stored', async () => {
    await send(known);
    const row = await database.db('mail_deliveries').orderBy('created', 'desc').first();
    expect(JSON.stringify(row)).not.toContain('demo.example');
  });
});
