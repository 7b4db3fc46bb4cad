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
  readonly admins: readonly AdminContact[];
}

export interface Enrollment {
  readonly lmsUserId: number;
  readonly courseRunKey: string;
  /** Ledger transaction that pays; the LMS enrols once per transaction. */
  readonly transactionUuid: string;
  /** Enrol although the deadline has passed. */
  readonly force: boolean;
}

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
});
export type GroupMember = z.infer<typeof groupMember>;

export interface GroupMembersPage {
  readonly members: readonly GroupMember[];
  readonly count: number;
  readonly pages: number;
}

/** Somebody who was invited to a group and has not come yet. */
export interface Invitation {
  readonly email: string;
  /** Day of the invitation, `2026-04-30`. */
  readonly invitedOn: string;
}

/** What we ask of the LMS. */
export interface Lms {
  customer(uuid: string): Promise<Customer | null>;
  /** The learner's link to the customer, whether or not it is the active one; null without a link. */
  learner(customerUuid: string, lmsUserId: number): Promise<Learner | null>;
  /** Whether the customer is linked to the learner by an active link, at this moment (R-ADD-17). */
  hasActiveLink(customerUuid: string, lmsUserId: number): Promise<boolean>;
  /** Account of an address on the platform; null when there is none. */
  accountOf(email: string): Promise<number | null>;
  /** Lets the customer's link wait for the owner of the address (R-ASG-71). Safe to repeat. */
  addPendingLearner(customerUuid: string, email: string): Promise<void>;
  groupMembers(query: GroupMembersQuery, page: number): Promise<GroupMembersPage>;
  /** Customer that a group belongs to; null when the LMS does not know the group. */
  customerOfGroup(groupUuid: string): Promise<string | null>;
  /** Open invitations to a group by membership, at most five minutes old; null when the LMS does not know the group. */
  invitations(groupUuid: string): Promise<ReadonlyMap<string, Invitation> | null>;
  /** Tells administrators that mail to this member does not arrive. Safe to repeat. */
  markUnreachable(groupUuid: string, email: string, at: Date): Promise<void>;
  allGroupMembers(query: GroupMembersQuery): Promise<readonly GroupMember[]>;
  /** Enrols and returns the fulfilment's id. A refusal is an `UpstreamRefusal`. Safe to repeat. */
  enroll(customerUuid: string, enrollment: Enrollment): Promise<string>;
  /** Ends the enrolment behind a fulfilment; false when the LMS knows none. Safe to repeat. */
  cancelFulfillment(fulfillmentIdentifier: string): Promise<boolean>;
}
