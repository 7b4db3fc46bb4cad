import { defineSlice } from '../kernel/slice.ts';
import { expireDecisions } from './jobs.ts';
import { settings } from './settings.ts';
import { ownerOfDecision } from './store.ts';
import { decisions } from './tables.ts';

export const decisionsSlice = defineSlice({
  name: 'decisions',
  // Decisions are deleted in the end.
  owners: { decision: { find: ownerOfDecision, remembered: false } },
  jobs: [{ job: expireDecisions, cron: '53 2 * * *' }],
  settings,
  tables: [decisions],
});
