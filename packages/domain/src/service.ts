import {
  campaignsOf,
  catalogueOf,
  consumersOf,
  grantReader,
  jobsOf,
  ownersOf,
  routerOf,
  settingsOf,
} from './kernel/compose.ts';
import { slices } from './slices.ts';

// The service as its processes and its documents see it: what all slices declare, put together.

/** Every procedure in one tRPC app. */
export const appRouter = routerOf(slices);
export type AppRouter = typeof appRouter;

export const { operations, streams, models, tags } = catalogueOf(slices);
export const { jobs, schedules } = jobsOf(slices);
export const consumers = consumersOf(slices);
export const { grantsOfToken, grantOfAssignment } = grantReader(slices);
export const ownersIn = ownersOf(slices);
export const settings = settingsOf(slices);
export const campaigns = campaignsOf(slices);
