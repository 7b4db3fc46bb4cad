import { pinged } from './housekeeping/consumers.ts';
import type { Consumer } from './kernel/consumer.ts';
import { enrollmentRevoked } from './ledger/index.ts';
import { remoteReversal } from './redemptions/consumers.ts';

/** Every kind of event that means something to us, gathered from the slices. */
export const consumers: readonly Consumer[] = [enrollmentRevoked, remoteReversal, pinged];
