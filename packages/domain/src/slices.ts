import { assignmentsSlice } from './assignments/slice.ts';
import { auditSlice } from './audit/slice.ts';
import { billingSlice } from './billing/slice.ts';
import { booksSlice } from './books/slice.ts';
import { decisionsSlice } from './decisions/slice.ts';
import { groupsSlice } from './groups/slice.ts';
import { housekeepingSlice } from './housekeeping/slice.ts';
import { jobsSlice } from './jobs/slice.ts';
import { ledgerSlice } from './ledger/slice.ts';
import { licensesSlice } from './licenses/slice.ts';
import { mailSlice } from './mail/slice.ts';
import { policiesSlice } from './policies/slice.ts';
import { provisioningSlice } from './provisioning/slice.ts';
import { redemptionsSlice } from './redemptions/slice.ts';
import { subsidiesSlice } from './subsidies/slice.ts';
import { usersSlice } from './users/slice.ts';
import { workflowSlice } from './workflow/slice.ts';

/** All slices of the service. To add one, create its folder and add a line here. */
export const slices = [
  assignmentsSlice,
  auditSlice,
  billingSlice,
  booksSlice,
  decisionsSlice,
  groupsSlice,
  housekeepingSlice,
  jobsSlice,
  ledgerSlice,
  licensesSlice,
  mailSlice,
  policiesSlice,
  provisioningSlice,
  redemptionsSlice,
  subsidiesSlice,
  usersSlice,
  workflowSlice,
] as const;
