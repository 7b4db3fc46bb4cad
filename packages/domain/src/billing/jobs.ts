import { transaction } from '@enterprise-access/db';
import { implementJob } from '../kernel/jobs/job.ts';
import type { ScheduledJob } from '../kernel/slice.ts';
import { onSyncAcademies } from './academies.ts';
import { onHandleStripeEvent } from './handle-event.ts';
import * as contracts from './job-contracts.ts';
import { onSendMail } from './mail-job.ts';
import { productBySlug, putProduct } from './products.ts';
import { onFetchEvents, onReconcile, onTagSubscriptions } from './reconcile.ts';
import { onAlignPlans, onPrepareSubscription, onProcessRenewal } from './renewals.ts';
import * as sweeps from './sweeps.ts';

const scheduled = (cron: string, job: ScheduledJob['job']): ScheduledJob => ({ job, cron });

export const billingJobs = [
  implementJob(contracts.handleStripeEvent, onHandleStripeEvent),
  implementJob(contracts.processRenewal, onProcessRenewal),
  implementJob(contracts.alignPlans, onAlignPlans),
  implementJob(contracts.prepareSubscription, onPrepareSubscription),
  implementJob(contracts.sendMail, onSendMail),
  scheduled('* * * * *', implementJob(contracts.expireIntents, sweeps.onExpireIntents)),
  scheduled('* * * * *', implementJob(contracts.markStalled, sweeps.onMarkStalled)),
  scheduled('47 2 * * *', implementJob(contracts.scrub, sweeps.onScrub)),
  scheduled('27 3 * * *', implementJob(contracts.reconcile, onReconcile)),
  implementJob(contracts.fetchEvents, onFetchEvents),
  implementJob(contracts.replayEvents, sweeps.onReplayEvents),
  implementJob(contracts.populateSummaries, sweeps.onPopulateSummaries),
  implementJob(contracts.tagSubscriptions, onTagSubscriptions),
  implementJob(contracts.syncAcademies, onSyncAcademies),
  implementJob(contracts.putProduct, async ({ runtime: { db, clock }, dryRun }, wish) => {
    if (dryRun) return { isChanged: (await productBySlug(db, wish.slug)) === undefined };
    return { isChanged: await transaction(db, (trx) => putProduct(trx, wish, clock())) };
  }),
];
