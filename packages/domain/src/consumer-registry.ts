import { pinged } from './housekeeping/consumers.ts';
import type { Consumer } from './kernel/consumer.ts';
import { remoteReversal } from './redemptions/index.ts';
import { enrollmentRevoked } from './subsidies/index.ts';

/** Every kind of event that means something to us, gathered from the slices. */
export const consumers: readonly Consumer[] = [enrollmentRevoked, remoteReversal, pinged];
