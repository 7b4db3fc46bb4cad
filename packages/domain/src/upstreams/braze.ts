import { z } from 'zod';
import { foldEmail } from '../kernel/email.ts';
import type { Recipient } from '../kernel/ports/mail.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';
import type { TokenSource } from './token.ts';

/** Client of Braze. An `UpstreamRefusal` is about the recipients or the campaign. */
export interface Braze {
  /** Creates the profiles of recipients before sending. Idempotent. */
  introduce(recipients: readonly Recipient[]): Promise<void>;
  /** Sends to at most `RECIPIENTS_PER_CALL` recipients. Not idempotent. */
  trigger(
    campaignId: string,
    properties: Readonly<Record<string, unknown>>,
    recipients: readonly Recipient[],
  ): Promise<string>;
  /** When the recipient last received a mail of the campaign; null if never. */
  lastReceived(campaignId: string, recipient: Recipient): Promise<Date | null>;
}

/** Limit of Braze for each of these calls. */
export const RECIPIENTS_PER_CALL = 50;
/** Must be equal in all services of the platform, because they share profiles. */
const ALIAS_LABEL = 'Enterprise';

const aliasOf = ({ email }: Recipient) => ({ alias_label: ALIAS_LABEL, alias_name: email });

const exported = z.object({
  users: z.array(
    z.object({
      external_id: z.string().nullish(),
      email: z.string().nullish(),
      campaigns_received: z
        .array(z.object({ api_campaign_id: z.string().nullish(), last_received: z.string().nullish() }))
        .nullish(),
    }),
  ),
});
const anything = z.unknown();
const dispatched = z.object({ dispatch_id: z.string() });

/** A recipient with an account; the call creates the profile if it does not exist. */
const known = (recipient: Recipient) => ({
  external_user_id: recipient.lmsUserId,
  attributes: {
    ...recipient.attributes,
    user_alias: aliasOf(recipient),
    email: recipient.email,
    is_enterprise_learner: true,
    _update_existing_only: false,
  },
  send_to_existing_only: false,
  trigger_properties: recipient.properties ?? {},
});

const unknown = (recipient: Recipient) => ({
  attributes: { ...recipient.attributes, email: recipient.email, is_enterprise_learner: true },
  user_alias: aliasOf(recipient),
  ...(recipient.properties ? { trigger_properties: recipient.properties } : {}),
});

/** Subject for the circuit breaker: calls about the same recipients are not independent. */
const subjectOf = (recipients: readonly Recipient[]) => [recipients.map(({ email }) => email).join()];

/** Token source of a fixed API key, which cannot be renewed. */
export const apiKey = (key: string): TokenSource => ({ get: async () => key, discard: () => undefined });

/** Treats 401 and 403 as failures: a wrong API key says nothing about the recipients. */
async function judged<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UpstreamRefusal && error.status === 403)
      throw new UpstreamFailure(error.service, 'answered 403', { cause: error, isUndone: true });
    throw error;
  }
}

export function httpBraze(upstream: Upstream): Braze {
  const call: Upstream = (what) => judged(upstream({ ...what, method: 'POST' }));

  /** Creates profiles for unknown addresses. */
  async function makeAliases(recipients: readonly Recipient[]): Promise<void> {
    if (recipients.length === 0) return;
    const { users } = await call({
      path: path`/users/export/ids`,
      about: subjectOf(recipients),
      body: { user_aliases: recipients.map(aliasOf), fields_to_export: ['external_id', 'email'] },
      reply: exported,
      repeatable: true,
    });
    const found = new Set(users.map(({ email }) => email && foldEmail(email)));
    const missing = recipients.filter(({ email }) => !found.has(foldEmail(email)));
    if (missing.length === 0) return;
    await call({
      path: path`/users/alias/new`,
      about: subjectOf(missing),
      body: { user_aliases: missing.map(aliasOf) },
      reply: anything,
      repeatable: true,
    });
    await call({
      path: path`/users/track`,
      about: subjectOf(missing),
      body: {
        attributes: missing.map((recipient) => ({
          user_alias: aliasOf(recipient),
          email: recipient.email,
          is_enterprise_learner: true,
          _update_existing_only: false,
        })),
      },
      reply: anything,
      repeatable: true,
    });
  }

  return {
    async introduce(recipients) {
      const withAccount = recipients.filter(({ lmsUserId }) => lmsUserId !== null);
      if (withAccount.length > 0) {
        await call({
          path: path`/users/identify`,
          about: subjectOf(withAccount),
          body: {
            aliases_to_identify: withAccount.map((recipient) => ({
              external_id: recipient.lmsUserId,
              user_alias: aliasOf(recipient),
            })),
          },
          reply: anything,
          repeatable: true,
        });
      }
      await makeAliases(recipients.filter(({ lmsUserId }) => lmsUserId === null));
    },

    async trigger(campaignId, properties, recipients) {
      const { dispatch_id } = await call({
        path: path`/campaigns/trigger/send`,
        about: subjectOf(recipients),
        body: {
          campaign_id: campaignId,
          trigger_properties: properties,
          recipients: recipients.map((recipient) => (recipient.lmsUserId === null ? unknown : known)(recipient)),
          broadcast: false,
        },
        reply: dispatched,
      });
      return dispatch_id;
    },

    async lastReceived(campaignId, recipient) {
      const { users } = await call({
        path: path`/users/export/ids`,
        about: subjectOf([recipient]),
        body: {
          ...(recipient.lmsUserId === null
            ? { user_aliases: [aliasOf(recipient)] }
            : { external_ids: [String(recipient.lmsUserId)] }),
          fields_to_export: ['external_id', 'email', 'campaigns_received'],
        },
        reply: exported,
        repeatable: true,
      });
      const times = users
        .flatMap(({ campaigns_received }) => campaigns_received ?? [])
        .filter(({ api_campaign_id }) => api_campaign_id === campaignId)
        .map(({ last_received }) => Date.parse(last_received ?? ''))
        .filter(Number.isFinite);
      return times.length === 0 ? null : new Date(Math.max(...times));
    },
  };
}
