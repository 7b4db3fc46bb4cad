import { z } from 'zod';
import { enrol } from './enrolment.ts';
import { parseBody } from './refusal.ts';
import type { World } from './state.ts';

const item = z
  .object({
    user_id: z.number().int().optional(),
    email: z.string().optional(),
    course_run_key: z.string().min(1),
    transaction_id: z.uuid().optional(),
    license_uuid: z.uuid().optional(),
    force_enrollment: z.boolean().optional(),
  })
  .refine((each) => (each.user_id === undefined) !== (each.email === undefined), 'Give one of user_id and email.')
  .refine(
    (each) => (each.transaction_id === undefined) !== (each.license_uuid === undefined),
    'Give one of transaction_id and license_uuid.',
  );
type Item = z.infer<typeof item>;

const request = z.object({ enrollments_info: z.array(item).min(1) });

const EMAIL = /^[^\s@]+@[^\s@]+$/;

/** Enrols each item and sorts the outcomes into the reply's lists (LMS-17). */
export function bulkEnrol(world: World, unsafeBody: unknown, now: number): { status: number; body: unknown } {
  const { enrollments_info: items } = parseBody(request, unsafeBody);
  const body = {
    successes: [] as unknown[],
    pending: [] as unknown[],
    failures: [] as unknown[],
    invalid_email_addresses: [] as string[],
    invalid_user_ids: [] as number[],
  };
  for (const each of items) {
    const { user_id: userId, email, course_run_key: runKey } = each;
    if (email !== undefined && !EMAIL.test(email)) {
      body.invalid_email_addresses.push(email);
      continue;
    }
    const user = userId === undefined ? world.usersByEmail.get(email?.toLowerCase() ?? '') : world.users.get(userId);
    const entry = { user_id: user?.id ?? null, email: user?.email ?? email ?? null, course_run_key: runKey };
    if (!user && userId !== undefined) body.invalid_user_ids.push(userId);
    else if (!user && email?.startsWith('fail@')) body.failures.push({ ...entry, created: false });
    else if (!user) body.pending.push({ ...entry, created: true, activation_link: null });
    else {
      const force = each.force_enrollment === true;
      const outcome = enrol(world, { user, runKey, payment: paymentOf(each, user.id), force }, now);
      if (outcome.ok) {
        body.successes.push({
          ...entry,
          created: outcome.created,
          activation_link: null,
          enterprise_fulfillment_source_uuid: outcome.fulfilmentUuid,
        });
      } else body.failures.push({ ...entry, created: false });
    }
  }
  const refused = body.failures.length + body.invalid_email_addresses.length + body.invalid_user_ids.length;
  return { status: refused > 0 ? 409 : body.pending.length > 0 ? 202 : 201, body };
}

/** A transaction pays for one enrolment; a licence pays for many of its learner. */
const paymentOf = (each: Item, userId: number): string =>
  each.transaction_id?.toLowerCase() ?? `license ${each.license_uuid} ${userId} ${each.course_run_key}`;
