import { defineSlice } from '../kernel/slice.ts';
import { pingEvent, pinged } from './consumers.ts';
import { expireJob } from './jobs.ts';

export const housekeepingSlice = defineSlice({
  name: 'housekeeping',
  jobs: [{ job: expireJob, cron: '41 2 * * *' }],
  events: [pingEvent],
  consumers: [pinged],
});
