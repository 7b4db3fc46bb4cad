import { z } from 'zod';
import type { LegacyForm } from '../kernel/legacy.ts';
import { refusalBody, refusalOf } from '../policies/index.ts';
import type * as contract from './contract.ts';
import { jsonObjectOf } from './json-object.ts';

/** A refusal is a list with one reason object whose leaves are strings. */
const notRedeemable = {
  body: refusalBody,
  encode: (details: z.infer<typeof contract.notRedeemable.details>) => refusalOf(details.reasons),
};

const spendRefused = {
  body: z
    .object({ detail: z.string(), code: z.string(), subsidy_status_code: z.string() })
    // Other fields of a subsidy service are passed on.
    .catchall(z.unknown())
    .meta({ title: 'SpendRefusal' }),
  encode: (details: z.infer<typeof contract.spendRefused.details>) => ({
    ...(details.body === null ? {} : jsonObjectOf(details.body)),
    detail: details.detail,
    code: details.reason,
    subsidy_status_code: details.subsidyStatusCode,
  }),
};

export const legacy: Readonly<Record<string, LegacyForm>> = {
  redeem: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
  force: { errors: { not_redeemable: notRedeemable, spend_refused: spendRefused } },
};
