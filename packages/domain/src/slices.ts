import { assignmentsSlice } from './assignments/slice.ts';
import { auditSlice } from './audit/slice.ts';
import { booksSlice } from './books/slice.ts';
import { groupsSlice } from './groups/slice.ts';
import { housekeepingSlice } from './housekeeping/slice.ts';
import { jobsSlice } from './jobs/slice.ts';
import { ledgerSlice } from './ledger/slice.ts';
import { mailSlice } from './mail/slice.ts';
import { policiesSlice } from './policies/slice.ts';
import { redemptionsSlice } from './redemptions/slice.ts';
import { subsidiesSlice } from './subsidies/slice.ts';
import { usersSlice } from './users/slice.ts';

/** Every slice of the service. A new one is a folder and a line here. */
export const slices = [
  assignmentsSlice,
  auditSlice,
  booksSlice,
  groupsSlice,
  housekeepingSlice,
  jobsSlice,
  ledgerSlice,
  mailSlice,
  policiesSlice,
  redemptionsSlice,
  subsidiesSlice,
  usersSlice,
] as const;
