import { z } from 'zod';

export interface Learner {
  readonly lmsUserId: number;
  readonly email: string;
  readonly groupUuids: readonly string[];
}

export interface AdminContact {
  readonly email: string | null;
  readonly lmsUserId: number | null;
}

export interface Customer {
  readonly uuid: string;
  readonly name: string;
  readonly slug: string;
  readonly contactEmail: string | null;
  /** Name under which mails to its learners are sent; null for the standard one. */
  readonly senderAlias: string | null;
  /** Language of mails to its learners; null for the standard one. */
  readonly defaultLanguage: string | null;
  /** Its learners come from an identity provider and do not use the learner portal. */
  readonly isWithoutLearnerPortal: boolean;
  readonly admins: readonly AdminContact[];
}

export interface Enrollment {
  readonly lmsUserId: number;
  readonly courseRunKey: string;
  /** Ledger transaction that pays for the enrollment; the LMS enrolls once per transaction. */
  readonly transactionUuid: string;
  /** Enroll even if the enrollment deadline has passed. */
  readonly force: boolean;
}

/** A learner to be enrolled in a course run with a licence. */
export interface LicensedEnrollment {
  readonly email: string;
  readonly courseRunKey: string;
  readonly licenseUuid: string;
}

/** `pending`: the address has no account yet. */
export type LicensedOutcome = 'success' | 'pending' | 'failed' | 'invalid_address';

export interface GroupMembersQuery {
  readonly groupUuid: string;
  readonly sortBy?: string | undefined;
  readonly userQuery?: string | undefined;
  readonly showRemoved?: boolean | undefined;
  readonly isReversed?: boolean | undefined;
  readonly learners?: readonly string[] | undefined;
  /** Only members without an account. */
  readonly pendingOnly?: boolean | undefined;
}

export const groupMember = z.object({
  enterprise_customer_user_id: z.number().nullable(),
  lms_user_id: z.number().nullable(),
  pending_enterprise_customer_user_id: z.number().nullable(),
  enterprise_group_membership_uuid: z.string(),
  member_details: z.object({ user_email: z.string(), user_name: z.string().nullish() }),
  recent_action: z.string().nullish(),
  status: z.string().nullish(),
  activated_at: z.string().nullish(),
  enrollments: z.number().nullish(),
  group_name: z.string().nullish(),
  group_uuid: z.string().nullish(),
});
export type GroupMember = z.infer<typeof groupMember>;

export interface GroupMembersPage {
  readonly members: readonly GroupMember[];
  readonly count: number;
  readonly pages: number;
}

/** A pending invitation to a group. */
export interface Invitation {
  readonly email: string;
  /** Day of the invitation, `2026-04-30`. */
  readonly invitedOn: string;
}

/** Port to the LMS. */
export interface Lms {
  customer(uuid: string): Promise<Customer | null>;
  /** The customer with exactly this slug or name, at this moment. */
  customerNamed(by: { readonly slug: string } | { readonly name: string }): Promise<Customer | null>;
  /** The learner's link to the customer, whether or not it is the active one; null without a link. */
  learner(customerUuid: string, lmsUserId: number): Promise<Learner | null>;
  /** Whether the customer is linked to the learner by an active link, at this moment (R-ADD-17). */
  hasActiveLink(customerUuid: string, lmsUserId: number): Promise<boolean>;
  /** Account of an address on the platform; null when there is none. */
  accountOf(email: string): Promise<number | null>;
  /** Creates a pending link between the customer and an e-mail address (R-ASG-71). Idempotent. */
  addPendingLearner(customerUuid: string, email: string): Promise<void>;
  /** The same for up to 50 addresses in one call. */
  addPendingLearners(customerUuid: string, emails: readonly string[]): Promise<void>;
  /** Ends the enrollments that a learner made with licences of the customer. Idempotent. */
  revokeLicensedEnrollments(customerUuid: string, lmsUserId: number): Promise<void>;
  groupMembers(query: GroupMembersQuery, page: number): Promise<GroupMembersPage>;
  /** Customer that a group belongs to; null when the LMS does not know the group. */
  customerOfGroup(groupUuid: string): Promise<string | null>;
  /** Open invitations to a group by membership, at most five minutes old; null when the LMS does not know the group. */
  invitations(groupUuid: string): Promise<ReadonlyMap<string, Invitation> | null>;
  /** Marks a member as unreachable by e-mail, for administrators. Idempotent. */
  markUnreachable(groupUuid: string, email: string, at: Date): Promise<void>;
  allGroupMembers(query: GroupMembersQuery): Promise<readonly GroupMember[]>;
  /** Enrolls a learner and returns the id of the fulfillment. Throws `UpstreamRefusal`. Idempotent. */
  enroll(customerUuid: string, enrollment: Enrollment): Promise<string>;
  /**
   * Enrolls with licences; the outcomes are in the order of the items. The LMS enrolls once per licence and course run,
   * and mails only about new enrollments. Throws `UpstreamRefusal` if it rejects the whole request.
   */
  enrollWithLicenses(
    customerUuid: string,
    items: readonly LicensedEnrollment[],
    options: { readonly notify: boolean },
  ): Promise<readonly LicensedOutcome[]>;
  /** Ends the enrollment of a fulfillment; returns false if the LMS does not know it. Idempotent. */
  cancelFulfillment(fulfillmentIdentifier: string): Promise<boolean>;
  /**
   * Ends the enrollments of at most 100 licences, except those that changed after a time. Idempotent.
   */
  endLicensedEnrollments(licenseUuids: readonly string[], unlessModifiedAfter: Date | null): Promise<void>;
  /** Takes at most 100 learners out of the customer; they can be linked again. Idempotent. */
  unlinkLearners(customerUuid: string, emails: readonly string[]): Promise<void>;
  /** Every administrator of a customer. */
  administrators(customerUuid: string): Promise<readonly AdminContact[]>;
  /** Customer with a short name; null if there is none. */
  customerOfSlug(slug: string): Promise<(Customer & { readonly catalogUuids: readonly string[] }) | null>;
}
