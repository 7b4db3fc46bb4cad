import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { iso, Refusal } from './http.ts';
import type { SandboxState } from './state.ts';

/** One campaign send, as `GET /control/mails` shows it. */
export interface Mail {
  at: string;
  dispatchId: string;
  campaignId: string;
  triggerProperties: unknown;
  recipients: SentTo[];
}

export interface BrazeStore {
  mails: Mail[];
  /** The other calls, so that a test can look at the whole conversation. */
  calls: { at: string; path: string; body: unknown }[];
  /** External id by alias. */
  identities: Map<string, string>;
  /** Aliases without an account. */
  aliases: Set<string>;
}

export const emptyBraze = (): BrazeStore => ({ mails: [], calls: [], identities: new Map(), aliases: new Set() });

const ALIASES_PER_CALL = 50;
const TRACKED_PER_CALL = 75;
/** A load test must not fill the memory: when this many are kept, the older half goes. */
const KEPT = 20_000;

const alias = z.object({
  alias_label: z.string(),
  alias_name: z.string(),
  external_id: z.union([z.string(), z.number()]).optional(),
});
const aliases = z.object({ user_aliases: z.array(alias).max(ALIASES_PER_CALL) });
const tracked = z.array(z.record(z.string(), z.unknown())).max(TRACKED_PER_CALL).default([]);
const track = z.object({ attributes: tracked, events: tracked, purchases: tracked });
const identify = z.object({
  aliases_to_identify: z
    .array(z.object({ external_id: z.union([z.string(), z.number()]), user_alias: alias }))
    .max(ALIASES_PER_CALL),
});
const exportIds = z.object({
  user_aliases: z.array(alias).max(ALIASES_PER_CALL).default([]),
  external_ids: z.array(z.string()).max(ALIASES_PER_CALL).default([]),
  fields_to_export: z.array(z.string()).default([]),
});
/** One of the two ways in which our services name a recipient. */
const recipient = z.looseObject({
  external_user_id: z.union([z.string(), z.number()]).optional(),
  user_alias: alias.optional(),
  attributes: z.looseObject({ email: z.string().optional() }).optional(),
});
type SentTo = z.infer<typeof recipient>;
const send = z.object({
  campaign_id: z.string().min(1),
  trigger_properties: z.unknown().optional(),
  recipients: z.array(recipient).max(ALIASES_PER_CALL).default([]),
});

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Refusal(400, { message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`, errors: [] });
}

/** An address that no mail reaches: `fail@…`, as at the LMS. */
const isBad = (address: string | undefined): boolean => address?.toLowerCase().startsWith('fail@') ?? false;

function refuseBad(addresses: readonly (string | undefined)[]): void {
  if (addresses.some(isBad)) throw new Refusal(400, { message: 'The recipients hold an invalid address.', errors: [] });
}

const addressOf = ({ attributes, user_alias }: SentTo): string | undefined =>
  attributes?.email ?? user_alias?.alias_name;

function keep<T>(log: T[], entry: T): void {
  if (log.length >= KEPT) log.splice(0, KEPT / 2);
  log.push(entry);
}

/** Braze: the five calls that the platform makes, each recorded. */
export function brazeRoutes(app: FastifyInstance, state: SandboxState): void {
  const at = () => iso(state.now());
  const record = (path: string, body: unknown) => keep(state.braze.calls, { at: at(), path, body });
  const key = (name: string) => name.toLowerCase();
  /** The last mail of each campaign to this address. */
  const received = (address: string) => {
    const last = new Map<string, string>();
    for (const mail of state.braze.mails) {
      if (mail.recipients.some((one) => key(addressOf(one) ?? '') === address)) last.set(mail.campaignId, mail.at);
    }
    return [...last].map(([api_campaign_id, last_received]) => ({ api_campaign_id, last_received }));
  };

  app.post('/users/export/ids', (request, reply) => {
    const { user_aliases, external_ids, fields_to_export } = parse(exportIds, request.body);
    record('/users/export/ids', request.body);
    const { identities, aliases: known } = state.braze;
    const byAlias = user_aliases
      .map(({ alias_name }) => alias_name)
      .filter((address) => identities.has(key(address)) || known.has(key(address)));
    const byId = external_ids.flatMap((id) => [...identities].filter(([, known]) => known === id).map(([a]) => a));
    const users = [...byAlias, ...byId].map((address) => ({
      external_id: identities.get(key(address)),
      email: address,
      ...(fields_to_export.includes('campaigns_received') ? { campaigns_received: received(key(address)) } : {}),
    }));
    reply.code(201).send({ users, message: 'success' });
  });

  app.post('/users/alias/new', (request, reply) => {
    const { user_aliases } = parse(aliases, request.body);
    refuseBad(user_aliases.map(({ alias_name }) => alias_name));
    record('/users/alias/new', request.body);
    for (const { alias_name, external_id } of user_aliases) {
      state.braze.aliases.add(key(alias_name));
      if (external_id !== undefined) state.braze.identities.set(key(alias_name), String(external_id));
    }
    reply.code(201).send({ aliases_processed: user_aliases.length, message: 'success' });
  });

  app.post('/users/track', (request, reply) => {
    const body = parse(track, request.body);
    record('/users/track', request.body);
    reply.code(201).send({
      attributes_processed: body.attributes.length,
      events_processed: body.events.length,
      purchases_processed: body.purchases.length,
      message: 'success',
    });
  });

  app.post('/users/identify', (request, reply) => {
    const { aliases_to_identify } = parse(identify, request.body);
    record('/users/identify', request.body);
    for (const { external_id, user_alias } of aliases_to_identify) {
      state.braze.identities.set(key(user_alias.alias_name), String(external_id));
    }
    reply.code(201).send({ aliases_processed: aliases_to_identify.length, message: 'success' });
  });

  app.post('/campaigns/trigger/send', (request, reply) => {
    const body = parse(send, request.body);
    refuseBad(body.recipients.map(addressOf));
    const dispatchId = randomUUID();
    keep(state.braze.mails, {
      at: at(),
      dispatchId,
      campaignId: body.campaign_id,
      triggerProperties: body.trigger_properties ?? {},
      recipients: body.recipients,
    });
    reply.code(201).send({ dispatch_id: dispatchId, message: 'success' });
  });
}
