import { compose } from './kernel/compose.ts';
import { slices } from './slices.ts';

/** The service: all slices combined. */
export const service = compose(slices);
export type AppRouter = typeof service.appRouter;

export const { operations, streams, models } = service;
export const { jobs, schedules, events, consumers } = service;
export const { ownersIn, workflowOf, followAssignments, settings, campaigns } = service;
