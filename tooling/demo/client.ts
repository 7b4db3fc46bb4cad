import { demonstration } from '@enterprise-access/start/demonstration';
import { DEVELOPMENT_SECRET, makeToken } from '@enterprise-access/start/token';
import { Pool } from 'undici';
import { z } from 'zod';

/** No server answers, or it rejects our tokens. */
export class NoServer extends Error {
  override readonly name = 'NoServer';
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly ms: number;
}

const cents = z.int();
const transaction = z.object({ state: z.string(), quantity: cents, reversal: z.unknown() });
const reasons = z.array(z.object({ reason: z.string() }));

export const answers = z.array(
  z.object({
    content_key: z.string(),
    can_redeem: z.boolean(),
    has_successful_redemption: z.boolean(),
    redemptions: z.array(transaction),
    reasons,
    redeemable_subsidy_access_policy: z.object({ uuid: z.string() }).nullable(),
  }),
);

const secret = process.env.JWT_SECRET_KEY ?? DEVELOPMENT_SECRET;

const learnerToken = (userId: number): string =>
  makeToken({
    roles: ['enterprise_learner'],
    enterprise: demonstration.customer,
    userId,
    email: `learner-${userId}@demo.example`,
    secret,
  });

/** REST client for learners and an operator of the demo customer. */
export class Client {
  readonly customer = demonstration.customer;
  readonly operator = makeToken({ roles: ['enterprise_openedx_operator'], enterprise: '*', userId: 7, secret });
  readonly #pool: Pool;
  readonly #url: string;
  readonly #learners = new Map<number, string>();

  constructor(url: string, connections: number) {
    this.#url = url;
    this.#pool = new Pool(url, { connections, headersTimeout: 60_000, bodyTimeout: 60_000, connectTimeout: 5_000 });
  }

  learner(userId: number): string {
    const token = this.#learners.get(userId) ?? learnerToken(userId);
    this.#learners.set(userId, token);
    return token;
  }

  async call(method: 'GET' | 'POST', path: string, token: string, body?: unknown): Promise<Reply> {
    const start = performance.now();
    const reply = await this.#pool.request({
      method,
      path,
      headers: {
        authorization: `JWT ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.body.text();
    const ms = performance.now() - start;
    const isJson = String(reply.headers['content-type'] ?? '').includes('json');
    return { status: reply.statusCode, body: isJson ? JSON.parse(text) : text, ms };
  }

  /** Checks that a server accepts our tokens and has the demo customer. */
  async assertServer(): Promise<void> {
    const path = `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${this.customer}&page_size=1`;
    const reply = await this.call('GET', path, this.operator).catch((cause: unknown) => {
      throw new NoServer(`No server answers at ${this.#url}. Start one with \`npm start\`, or name it with --url.`, {
        cause,
      });
    });
    if (reply.status === 401)
      throw new NoServer(`The server at ${this.#url} refuses our tokens: set JWT_SECRET_KEY to its key.`);
    const page = z.object({ count: cents }).safeParse(reply.body);
    if (reply.status !== 200 || !page.success)
      throw new NoServer(`What answers at ${this.#url} is not this service (status ${reply.status}).`);
    if (page.data.count === 0)
      throw new NoServer(`The server at ${this.#url} has no policies of Demo Company; \`npm start\` makes them.`);
  }

  canRedeem(userId: number, contentKeys: readonly string[]): Promise<Reply> {
    const query = new URLSearchParams(contentKeys.map((key): [string, string] => ['content_key', key]));
    const path = `/api/v1/policy-redemption/enterprise-customer/${this.customer}/can-redeem/?${query}`;
    return this.call('GET', path, this.learner(userId));
  }

  redeem(userId: number, policyUuid: string, contentKey: string): Promise<Reply> {
    const body = { lms_user_id: userId, content_key: contentKey };
    return this.call('POST', `/api/v1/policy-redemption/${policyUuid}/redeem/`, this.learner(userId), body);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** The reasons or the detail of an error reply; null for a success. */
export function refusalOf(reply: Reply): string | null {
  if (reply.status !== 422) return null;
  const listed = reasons.safeParse(reply.body);
  if (listed.success) return listed.data[0]?.reason ?? 'no reason given';
  const coded = z.object({ code: z.string() }).safeParse(reply.body);
  if (coded.success) return coded.data.code;
  const detailed = z.object({ detail: z.string() }).safeParse(reply.body);
  return detailed.success ? (detailed.data.detail.split(' for content_key')[0] ?? null) : null;
}
