import { jobRun } from '../kernel/jobs/view.ts';
import { defineSlice } from '../kernel/slice.ts';
import { get, progress } from './contract.ts';
import { jobs } from './router.ts';
import { ownerOf } from './service.ts';

export const jobsSlice = defineSlice({
  name: 'jobs',
  namespaces: {
    jobs: {
      tag: 'Work that takes longer than a request.',
      router: jobs,
      contracts: { get, progress },
      models: { jobRun },
    },
  },
  owners: { job: { find: ownerOf, remembered: true } },
});
