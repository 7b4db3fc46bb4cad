import { timeText } from '@enterprise-access/db';
import { z } from 'zod';
import { encodePlainPage, plainEnvelope } from '../kernel/envelope.ts';
import type { RestRequest } from '../kernel/legacy.ts';
import type { Page } from '../kernel/page.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import * as view from './view-contract.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));

/** A time as the old service writes it in plans' earlier renewals and in CSV: `2021-01-01 00:00:00+00:00`. */
export const spacedTime = (at: Date): string => timeText(at).replace('T', ' ').replace('Z', '+00:00');

const priorRenewalBody = z
  .object({
    prior_subscription_plan_id: z.string(),
    prior_subscription_plan_start_date: z.string().describe('`2021-01-01 00:00:00+00:00`'),
    renewed_subscription_plan_id: z.string(),
    renewed_subscription_plan_start_date: z.string().describe('`2021-01-01 00:00:00+00:00`'),
  })
  .meta({ title: 'PriorRenewal' });

export const planBody = z
  .object({
    ...renamed(view.plan.shape),
    revocations: z.object({ applied: z.int(), remaining: z.int() }).nullable(),
    prior_renewals: z.array(priorRenewalBody),
  })
  .meta({ title: 'SubscriptionPlan' });

const planCodec = wireCodec(view.plan.omit({ priorRenewals: true }));

export const encodePlan = (plan: view.Plan) => ({
  ...(planCodec.encode(plan) as object),
  prior_renewals: plan.priorRenewals.map((each) => ({
    prior_subscription_plan_id: each.priorSubscriptionPlanId,
    prior_subscription_plan_start_date: spacedTime(each.priorSubscriptionPlanStartDate),
    renewed_subscription_plan_id: each.renewedSubscriptionPlanId,
    renewed_subscription_plan_start_date: spacedTime(each.renewedSubscriptionPlanStartDate),
  })),
});

export const agreementBody = z
  .object({ ...renamed(view.agreement.shape), subscriptions: z.array(planBody) })
  .meta({ title: 'CustomerAgreement' });

const agreementCodec = wireCodec(view.agreementSummary);

export const encodeAgreement = (agreement: view.Agreement) => ({
  ...(agreementCodec.encode(agreement) as object),
  subscriptions: agreement.subscriptions.map(encodePlan),
});

/** Reply forms of a single object and of a page of them. */
export const planReply = { body: planBody, encode: encodePlan };
export const planPageReply = {
  body: plainEnvelope(planBody),
  encode: (page: Page<view.Plan>, request: RestRequest) => encodePlainPage(page, request, encodePlan),
};
export const agreementReply = { body: agreementBody, encode: encodeAgreement };
export const agreementPageReply = {
  body: plainEnvelope(agreementBody),
  encode: (page: Page<view.Agreement>, request: RestRequest) => encodePlainPage(page, request, encodeAgreement),
};

export const activePlansFlag = { onlyTrueIsTrue: ['activePlansOnly'] } as const;

export const licenseBody = z.object(renamed(view.license.shape)).meta({ title: 'License' });
export const encodeLicense = wireCodec(view.license).encode;

/** A plain page with the number of pages. */
export const licensePageReply = {
  body: plainEnvelope(licenseBody)
    .extend({ num_pages: z.int().describe('Number of pages.') })
    .meta({
      title: 'LicensePage',
    }),
  encode: (page: Page<view.License>, request: RestRequest) => ({
    ...encodePlainPage(page, request, encodeLicense),
    num_pages: Math.max(1, Math.ceil(page.count / page.pageSize)),
  }),
};
