const noFunds = "You can't enroll right now because your organization doesn't have enough funds.";
const notAssigned = "You can't enroll right now because this course is not assigned to you.";
const limits = "You can't enroll right now because of limits set by your organization.";

interface Sentences {
  readonly withContacts: string;
  readonly withoutContacts?: string;
}

const withoutFunds: Sentences = {
  withContacts: noFunds,
  withoutContacts: `${noFunds} Contact your administrator to request more.`,
};

/** Messages for learners; they are part of the wire format, including the doubled words of one. */
const sentences: Readonly<Record<string, Sentences>> = {
  policy_expired: withoutFunds,
  not_enough_value_in_subsidy: withoutFunds,
  policy_spend_limit_reached: withoutFunds,
  subsidy_expired: {
    withContacts: "You can't enroll right now because your funds expired.",
    withoutContacts: "You can't enroll right now because your funds expired. Contact your administrator for help.",
  },
  learner_max_spend_reached: { withContacts: limits },
  learner_max_enrollments_reached: { withContacts: limits },
  access_by_request_only: { withContacts: limits },
  content_not_in_catalog: {
    withContacts:
      "You can't enroll right now because this course is no longer available in your organization's catalog.",
  },
  beyond_enrollment_deadline: {
    withContacts: "You can't enroll right now because the enrollment deadline for this course has passed.",
  },
  learner_not_in_enterprise: {
    withContacts: "You can't enroll right now because your account is no longer associated with the organization.",
  },
  reason_learner_not_assigned_content: { withContacts: notAssigned },
  reason_learner_assignment_failed: { withContacts: notAssigned },
  reason_learner_assignment_cancelled: {
    withContacts: "You can't enroll right now right now because your administrator canceled your course assignment.",
  },
};

export function userMessage(reason: string, hasContacts: boolean): string | null {
  const found = Object.hasOwn(sentences, reason) ? sentences[reason] : undefined;
  if (!found) return null;
  return hasContacts ? found.withContacts : (found.withoutContacts ?? found.withContacts);
}
