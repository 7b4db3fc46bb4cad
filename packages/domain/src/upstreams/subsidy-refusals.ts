import { z } from 'zod';
import type { Settlement } from '../kernel/ports/ledger.ts';
import type { UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { codeOf } from './subsidy-replies.ts';

/** Messages for error codes of the subsidy service, for refusals whose original text was not stored. */
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

/** Replaces unknown codes by `otherwise`. */
export const knownCode = (code: string | null, otherwise: string): string =>
  code !== null && sentences.has(code) ? code : otherwise;

/** A definite refusal of a spend. */
export function refusalOf(status: number, code: string | null): Extract<Settlement, { outcome: 'refused' }> {
  const known = knownCode(code, 'transaction_creation_error');
  return { outcome: 'refused', code: known, detail: sentenceOf(known), status };
}

/** Longer texts are not passed on to callers: they are HTML pages of proxies or stack traces. */
const LONGEST = 16_384;

/** Like `refusalOf`, with the message of the service, because front ends interpret some of them. */
export function replyRefusal({ status, body, text }: UpstreamRefusal): Extract<Settlement, { outcome: 'refused' }> {
  const refusal = refusalOf(status, codeOf(body));
  return text.length > LONGEST ? refusal : { ...refusal, body: text };
}

const withDetail = z.object({ detail: z.string().min(1) });

/** The message of the service, or ours if it has none. */
export const detailOf = (body: unknown, code: string): string =>
  withDetail.safeParse(body).data?.detail ?? sentenceOf(code);
