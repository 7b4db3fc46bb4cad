import { z } from 'zod';
import type { Settlement } from '../kernel/ports/ledger.ts';
import type { UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { codeOf } from './subsidy-replies.ts';

/** What the machine names of the subsidy service mean, for refusals whose own text was not kept. */
const sentences: ReadonlyMap<string, string> = new Map([
  ['inactive_subsidy_creation_error', 'Cannot create a transaction in an inactive subsidy'],
  ['enrollment_error', 'The learner could not be enrolled.'],
  ['content_not_found', 'The given content_key is not in any catalog for this customer.'],
  ['invalid_requested_price', 'The price is outside of the acceptable interval on the canonical price of the course.'],
  ['fulfillment_error', 'The provider of the course did not accept the learner.'],
  ['transaction_creation_error', 'The transaction could not be made; the balance may be too small.'],
  ['transaction_reversed', 'The transaction was made and reversed again.'],
  ['deposit_on_expired_subsidy', 'Cannot create a deposit in an expired subsidy'],
  ['deposit_creation_error', 'The deposit was refused.'],
]);

export const sentenceOf = (code: string): string => sentences.get(code) ?? 'The ledger refused.';

/** Names that nobody declared are not passed on. */
export const knownCode = (code: string | null, otherwise: string): string =>
  code !== null && sentences.has(code) ? code : otherwise;

/** A definite no to a spend. */
export function refusalOf(status: number, code: string | null): Extract<Settlement, { outcome: 'refused' }> {
  const known = knownCode(code, 'transaction_creation_error');
  return { outcome: 'refused', code: known, detail: sentenceOf(known), status };
}

/** More is no sentence for a caller: a page of a proxy, or a fault of the service. */
const LONGEST = 16_384;

/** The same with what the service said, which callers read: the portals know some of its sentences. */
export function replyRefusal({ status, body, text }: UpstreamRefusal): Extract<Settlement, { outcome: 'refused' }> {
  const refusal = refusalOf(status, codeOf(body));
  return text.length > LONGEST ? refusal : { ...refusal, body: text };
}

const withDetail = z.object({ detail: z.string().min(1) });

/** The sentence of the service, or ours when it has none. */
export const detailOf = (body: unknown, code: string): string =>
  withDetail.safeParse(body).data?.detail ?? sentenceOf(code);
