import { randomUUID } from 'node:crypto';
import type { User, World } from './state.ts';

/** One item of a bulk enrolment, or the enrolment that a redemption pays for. */
export interface EnrolmentOrder {
  readonly user: User;
  readonly runKey: string;
  /** Transaction or licence that pays: the LMS enrols once per payment. */
  readonly payment: string;
  readonly force: boolean;
}

export type EnrolmentOutcome =
  | { readonly ok: true; readonly fulfilmentUuid: string; readonly created: boolean }
  | { readonly ok: false };

/** Enrols, repeats an earlier enrolment, or fails for the learners and runs that are there to fail. */
export function enrol(world: World, order: EnrolmentOrder, now: number): EnrolmentOutcome {
  const { user, runKey, payment, force } = order;
  const known = world.fulfilmentsByPayment.get(payment);
  if (known) {
    if (known.userId !== user.id || known.runKey !== runKey) return { ok: false };
    known.cancelled = false;
    return { ok: true, fulfilmentUuid: known.uuid, created: false };
  }
  const deadline = world.courses.find(runKey)?.course.enrollBy ?? null;
  const late = deadline !== null && Date.parse(deadline) < now;
  if (user.email.startsWith('fail@') || (late && !force)) return { ok: false };
  const fulfilment = { uuid: randomUUID(), userId: user.id, runKey, cancelled: false };
  world.fulfilments.set(fulfilment.uuid, fulfilment);
  world.fulfilmentsByPayment.set(payment, fulfilment);
  world.enrolmentCounts.set(user.id, (world.enrolmentCounts.get(user.id) ?? 0) + 1);
  return { ok: true, fulfilmentUuid: fulfilment.uuid, created: true };
}
