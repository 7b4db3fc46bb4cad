import { implementJob } from '../../kernel/jobs/job.ts';
import { onValidateCatalogQueries } from './catalog-queries.ts';
import { onManufactureData, onSeedDemoData } from './demo-data.ts';
import { onRemindOfExpiration, onTellOfExpiration } from './expiration-mails.ts';
import { onAnnounceExpiration, onExpirePlans } from './expire.ts';
import { onAnnounceHalfYear } from './half-year.ts';
import * as contracts from './job-contracts.ts';
import { onRetire } from './retire.ts';
import { onScale } from './scale.ts';
import { onTransfer } from './transfer.ts';
import { onUnlinkExpired } from './unlink.ts';
import { onTellAllocation, onTellUtilization } from './utilization.ts';

export const lifecycleJobs = [
  { job: implementJob(contracts.expirePlans, onExpirePlans), cron: '37 1 * * *' },
  implementJob(contracts.announceExpiration, onAnnounceExpiration),
  // Before retirement, which removes the addresses.
  { job: implementJob(contracts.unlinkExpired, onUnlinkExpired), cron: '17 3 * * *' },
  { job: implementJob(contracts.retire, onRetire), cron: '17 4 * * *' },
  { job: implementJob(contracts.announceHalfYear, onAnnounceHalfYear), cron: '47 4 * * *' },
  { job: implementJob(contracts.remindOfExpiration, onRemindOfExpiration), cron: '7 9 * * *' },
  { job: implementJob(contracts.tellOfExpiration, onTellOfExpiration), cron: '27 9 * * *' },
  { job: implementJob(contracts.tellUtilization, onTellUtilization), cron: '47 9 * * *' },
  implementJob(contracts.tellAllocation, onTellAllocation),
  { job: implementJob(contracts.scale, onScale), cron: '27 * * * *' },
  implementJob(contracts.transfer, onTransfer),
  implementJob(contracts.validateCatalogQueries, onValidateCatalogQueries),
  implementJob(contracts.seedDemoData, onSeedDemoData),
  implementJob(contracts.manufactureData, onManufactureData),
];
