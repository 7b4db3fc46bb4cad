import { z } from 'zod';
import type { Cache, CacheKind } from '../kernel/cache/cache.ts';
import { foldEmail } from '../kernel/email.ts';
import {
  type AdminContact,
  type Customer,
  type GroupMember,
  type GroupMembersQuery,
  groupMember,
  type Invitation,
  type Learner,
  type LicensedEnrollment,
  type LicensedOutcome,
  type Lms,
} from '../kernel/ports/lms.ts';
import { orNull, UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';

const learnersReply = z.object({
  next: z.string().nullish(),
  results: z.array(
    z.object({
      enterprise_customer: z.object({ uuid: z.string() }),
      user: z.object({ id: z.number(), email: z.string() }).nullable(),
      enterprise_group: z.array(z.string()).nullish(),
      active: z.boolean().nullish(),
    }),
  ),
});

const customerReply = z.object({
  uuid: z.string(),
  name: z.string(),
  slug: z.string(),
  contact_email: z.string().nullish(),
  sender_alias: z.string().nullish(),
  default_language: z.string().nullish(),
  identity_provider: z.unknown().optional(),
  enable_integrated_customer_learner_portal_search: z.boolean().nullish(),
  admin_users: z.array(z.object({ email: z.string(), lms_user_id: z.number().nullable() })).nullish(),
});

const membersReply = z.object({
  next: z.string().nullable(),
  count: z.number(),
  num_pages: z.number(),
  results: z.array(groupMember),
});

const enrollmentReply = z.object({
  successes: z.array(z.object({ enterprise_fulfillment_source_uuid: z.string().nullish() })),
});

const licensedPart = z.array(z.object({ email: z.string(), course_run_key: z.string() })).nullish();
const licensedReply = z.object({
  successes: licensedPart,
  pending: licensedPart,
  failures: licensedPart,
  invalid_email_addresses: z.array(z.string()).nullish(),
});

/** Sorts the items into the lists of the reply. What is in none of them has failed. */
function licensedOutcomes(
  items: readonly LicensedEnrollment[],
  { successes, pending, invalid_email_addresses: invalid }: z.infer<typeof licensedReply>,
): LicensedOutcome[] {
  const keyOf = (email: string, run: string) => `${foldEmail(email)} ${run}`;
  const keysOf = (part: z.infer<typeof licensedPart>) =>
    new Set((part ?? []).map(({ email, course_run_key: run }) => keyOf(email, run)));
  const [enrolled, waiting] = [keysOf(successes), keysOf(pending)];
  const unusable = new Set((invalid ?? []).map(foldEmail));
  return items.map(({ email, courseRunKey }) => {
    const key = keyOf(email, courseRunKey);
    if (enrolled.has(key)) return 'success';
    if (waiting.has(key)) return 'pending';
    return unusable.has(foldEmail(email)) ? 'invalid_address' : 'failed';
  });
}

const customersReply = z.object({
  results: z.array(customerReply.extend({ enterprise_customer_catalogs: z.array(z.string()).nullish() })),
});

const customerOf = (found: z.infer<typeof customerReply>): Customer => ({
  uuid: found.uuid,
  name: found.name,
  slug: found.slug,
  contactEmail: found.contact_email || null,
  senderAlias: found.sender_alias || null,
  defaultLanguage: found.default_language || null,
  isWithoutLearnerPortal:
    Boolean(found.identity_provider) && found.enable_integrated_customer_learner_portal_search === false,
  admins: (found.admin_users ?? []).map((admin) => ({ email: admin.email, lmsUserId: admin.lms_user_id })),
});

const HIT_MS = 600_000;
// Cache missing links for a short time only, so that a new link is seen soon.
const MISS_MS = 5_000;
const CUSTOMER_MS = 300_000;
const INVITATIONS_MS = 300_000;
const MAXIMUM_PAGES = 200;
const ENROLL_MS = 20_000;
/** For up to 625 enrollments. */
const ENROLL_WITH_LICENSES_MS = 180_000;
const BULK_MS = 120_000;

const customerKind: CacheKind<Customer | null> = {
  name: 'lms:customer',
  version: 2,
  shape: z
    .object({
      uuid: z.string(),
      name: z.string(),
      slug: z.string(),
      contactEmail: z.string().nullable(),
      senderAlias: z.string().nullable(),
      defaultLanguage: z.string().nullable(),
      isWithoutLearnerPortal: z.boolean(),
      admins: z.array(z.object({ email: z.string().nullable(), lmsUserId: z.number().nullable() })),
    })
    .nullable(),
  ttlMs: (found) => (found ? CUSTOMER_MS : MISS_MS),
};

const learnerKind: CacheKind<Learner | null> = {
  name: 'lms:learner',
  version: 1,
  shape: z.object({ lmsUserId: z.number(), email: z.string(), groupUuids: z.array(z.string()) }).nullable(),
  ttlMs: (found) => (found ? HIT_MS : MISS_MS),
};

/** Not shared: contains all addresses of a group, and only the process that plans reminders needs it. */
const invitationsKind: CacheKind<ReadonlyMap<string, Invitation> | null> = {
  name: 'lms:invitations',
  version: 1,
  ttlMs: (found) => (found ? INVITATIONS_MS : MISS_MS),
};

/** Format `Invited: April 30, 2026`, with the date of the last action in UTC. */
const INVITED = /^Invited: ([A-Z][a-z]+ (\d{1,2}), \d{4})$/;

/** The date on which a pending member was invited; null if the last action is another one or malformed. */
export function invitedOn(recentAction: string | null | undefined): string | null {
  const [, text = '', day = ''] = INVITED.exec(recentAction ?? '') ?? [];
  const date = new Date(`${text} UTC`);
  // `Date` would accept February 30 as March 2.
  return date.getUTCDate() === Number(day) ? date.toISOString().slice(0, 10) : null;
}

const accountsReply = z.array(z.object({ id: z.number().nullish() }));
const groupReply = z.object({ enterprise_customer: z.string() });
const anything = z.unknown();
const done = z.unknown().transform(() => true);

export function httpLms(call: Upstream, cache: Cache, { enrollMs = ENROLL_MS } = {}): Lms {
  const membersPage = (query: GroupMembersQuery, page: number, pageSize?: number) =>
    call({
      path: path`/enterprise/api/v1/enterprise-group/${query.groupUuid}/learners/`,
      about: [query.groupUuid],
      query: {
        sort_by: query.sortBy,
        user_query: query.userQuery?.normalize('NFC'),
        show_removed: query.showRemoved || undefined,
        is_reversed: query.isReversed || undefined,
        learners: query.learners,
        pending_users_only: query.pendingOnly || undefined,
        page,
        page_size: pageSize,
      },
      reply: membersReply,
    });

  async function linkOf(customerUuid: string, lmsUserId: number) {
    const { results } = await call({
      path: path`/enterprise/api/v1/enterprise-learner/`,
      about: [`learner ${lmsUserId}`],
      query: { enterprise_customer_uuid: customerUuid, user_ids: lmsUserId },
      reply: learnersReply,
    });
    return results.find((item) => item.enterprise_customer.uuid === customerUuid && item.user?.id === lmsUserId);
  }

  async function allMembers(query: GroupMembersQuery): Promise<GroupMember[]> {
    const members: GroupMember[] = [];
    for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
      const found = await membersPage(query, page, 500);
      members.push(...found.results);
      if (found.next === null) return members;
    }
    throw new UpstreamFailure('lms', 'has more members of a group than can be read');
  }

  const addPending: Lms['addPendingLearners'] = async (customerUuid, emails) => {
    await call({
      method: 'POST',
      path: path`/enterprise/api/v1/pending-enterprise-learner/`,
      repeatable: true,
      about: [emails.join()],
      body: emails.map((email) => ({ enterprise_customer: customerUuid, user_email: email })),
      reply: anything,
    });
  };

  return {
    customer: (uuid) =>
      cache.wrap(customerKind, uuid, async () => {
        const found = await orNull(
          call({ path: path`/enterprise/api/v1/enterprise-customer/${uuid}/`, reply: customerReply }),
        );
        return found && customerOf(found);
      }),

    async customerNamed(by) {
      const { results } = await call({
        path: path`/enterprise/api/v1/enterprise-customer/`,
        query: { ...by },
        about: Object.values(by),
        reply: customersReply,
      });
      const found = results.find((each) => ('slug' in by ? each.slug === by.slug : each.name === by.name));
      return found ? customerOf(found) : null;
    },

    learner: (customerUuid, lmsUserId) =>
      cache.wrap(learnerKind, `${customerUuid}:${lmsUserId}`, async () => {
        const found = await linkOf(customerUuid, lmsUserId);
        return found?.user ? { lmsUserId, email: found.user.email, groupUuids: found.enterprise_group ?? [] } : null;
      }),

    hasActiveLink: async (customerUuid, lmsUserId) => (await linkOf(customerUuid, lmsUserId))?.active === true,

    async accountOf(email) {
      const found = await orNull(
        call({
          path: path`/api/user/v1/accounts`,
          query: { email },
          reply: accountsReply,
        }),
      );
      return found?.[0]?.id ?? null;
    },

    addPendingLearner: (customerUuid, email) => addPending(customerUuid, [email]),
    addPendingLearners: addPending,

    async revokeLicensedEnrollments(customerUuid, lmsUserId) {
      await call({
        method: 'POST',
        path: path`/enterprise/api/v1/licensed-enterprise-course-enrollment/license_revoke/`,
        repeatable: true,
        timeoutMs: enrollMs,
        about: [`learner ${lmsUserId}`],
        body: { user_id: lmsUserId, enterprise_id: customerUuid },
        reply: anything,
      });
    },

    async groupMembers(query, page) {
      const found = await membersPage(query, page);
      return { members: found.results, count: found.count, pages: found.num_pages };
    },

    allGroupMembers: allMembers,

    async customerOfGroup(groupUuid) {
      const found = await orNull(
        call({
          path: path`/enterprise/api/v1/enterprise-group/${groupUuid}/`,
          reply: groupReply,
        }),
      );
      return found?.enterprise_customer.toLowerCase() ?? null;
    },

    invitations: (groupUuid) =>
      cache.wrap(invitationsKind, groupUuid, async () => {
        const members = await orNull(allMembers({ groupUuid, pendingOnly: true }));
        if (!members) return null;
        const invitations = members.flatMap((member): [string, Invitation][] => {
          const day = member.lms_user_id === null ? invitedOn(member.recent_action) : null;
          const { user_email: email } = member.member_details;
          return day === null ? [] : [[member.enterprise_group_membership_uuid, { email, invitedOn: day }]];
        });
        return new Map(invitations);
      }),

    async markUnreachable(groupUuid, email, at) {
      await call({
        method: 'PATCH',
        path: path`/enterprise/api/v1/enterprise-group/${groupUuid}/learners/`,
        about: [groupUuid],
        form: { learner: email, status: 'email_error', errored_at: at.toISOString() },
        repeatable: true,
        reply: anything,
      });
      cache.forget(invitationsKind, groupUuid);
    },

    async enroll(customerUuid, enrollment) {
      const { successes } = await call({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise-customer/${customerUuid}/enroll_learners_in_courses/`,
        // The LMS enrolls once per transaction, so the call can be retried.
        repeatable: true,
        timeoutMs: enrollMs,
        about: [enrollment.courseRunKey, `learner ${enrollment.lmsUserId}`],
        body: {
          enrollments_info: [
            {
              user_id: enrollment.lmsUserId,
              course_run_key: enrollment.courseRunKey,
              transaction_id: enrollment.transactionUuid,
              ...(enrollment.force ? { force_enrollment: true } : {}),
            },
          ],
        },
        reply: enrollmentReply,
      });
      const [success] = successes;
      if (successes.length !== 1 || !success?.enterprise_fulfillment_source_uuid) {
        throw new UpstreamRefusal('lms', 409, { detail: 'The learner was not enrolled.' });
      }
      return success.enterprise_fulfillment_source_uuid;
    },

    async enrollWithLicenses(customerUuid, items, { notify }) {
      const work = call({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise-customer/${customerUuid}/enroll_learners_in_courses/`,
        // The LMS enrolls once per licence and course run.
        repeatable: true,
        timeoutMs: ENROLL_WITH_LICENSES_MS,
        about: items.map(({ courseRunKey }) => courseRunKey),
        body: {
          licenses_info: items.map(({ email, courseRunKey, licenseUuid }) => ({
            email,
            course_run_key: courseRunKey,
            license_uuid: licenseUuid,
          })),
          notify,
        },
        reply: licensedReply,
      });
      try {
        return licensedOutcomes(items, await work);
      } catch (error) {
        // With 409 some have failed; the reply says what became of each.
        if (!(error instanceof UpstreamRefusal) || error.status !== 409) throw error;
        const parsed = licensedReply.safeParse(error.body);
        if (!parsed.success) throw error;
        return licensedOutcomes(items, parsed.data);
      }
    },

    async cancelFulfillment(fulfillmentIdentifier) {
      const cancelled = await orNull(
        call({
          method: 'POST',
          path: path`/enterprise/api/v1/enterprise-subsidy-fulfillment/${fulfillmentIdentifier}/cancel-fulfillment`,
          // Idempotent: for a cancelled fulfillment the LMS answers 200 instead of 204.
          repeatable: true,
          timeoutMs: enrollMs,
          reply: done,
        }),
      );
      return cancelled ?? false;
    },

    async endLicensedEnrollments(licenseUuids, unlessModifiedAfter) {
      await call({
        method: 'POST',
        path: path`/enterprise/api/v1/licensed-enterprise-course-enrollment/bulk_licensed_enrollments_expiration/`,
        repeatable: true,
        timeoutMs: BULK_MS,
        about: licenseUuids.slice(0, 1),
        body: {
          expired_license_uuids: licenseUuids,
          ignore_enrollments_modified_after: unlessModifiedAfter?.toISOString() ?? null,
        },
        reply: anything,
      });
    },

    async unlinkLearners(customerUuid, emails) {
      await call({
        method: 'POST',
        path: path`/enterprise/api/v1/enterprise-customer/${customerUuid}/unlink_users/`,
        repeatable: true,
        timeoutMs: BULK_MS,
        about: emails.slice(0, 1),
        body: { user_emails: emails, is_relinkable: true },
        reply: anything,
      });
    },

    async administrators(customerUuid) {
      const found: AdminContact[] = [];
      for (let page = 1; page <= MAXIMUM_PAGES; page += 1) {
        const { results, next } = await call({
          path: path`/enterprise/api/v1/enterprise-learner/`,
          about: [customerUuid],
          query: { enterprise_customer_uuid: customerUuid, role: 'enterprise_admin', page },
          reply: learnersReply,
        });
        found.push(...results.flatMap(({ user }) => (user ? [{ email: user.email, lmsUserId: user.id }] : [])));
        if (!next) return found;
      }
      throw new UpstreamFailure('lms', 'has more administrators of a customer than can be read');
    },

    async customerOfSlug(slug) {
      const { results } = await call({
        path: path`/enterprise/api/v1/enterprise-customer/`,
        query: { slug },
        reply: customersReply,
      });
      const [found] = results;
      return found ? { ...customerOf(found), catalogUuids: found.enterprise_customer_catalogs ?? [] } : null;
    },
  };
}
