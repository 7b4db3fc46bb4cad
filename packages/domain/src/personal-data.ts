/** A column that can say who somebody is, and what becomes of it. */
export interface PersonalColumn {
  readonly column: string;
  readonly holds: string;
  /** The job that deletes it, or why it stays. */
  readonly ends: { readonly job: string } | { readonly stays: string };
}

const EXPIRES = { job: 'housekeeping.expire' } as const;
const RETIRES = { job: 'assignments.retireAddresses' } as const;
const PLATFORM = {
  stays:
    'A copy of the platform’s user; brought up to date by each token, so that the platform’s own retirement reaches it.',
} as const;
const BOOKS = { stays: 'Part of the books. An id means somebody only together with the platform’s users.' } as const;

/**
 * Every column with personal data, by table. Ids of learners and actors are left out: they name nobody without the
 * platform. A test reads the schema and finds columns that are missing here.
 */
export const personalData: Readonly<Record<string, readonly PersonalColumn[]>> = {
  users: [
    { column: 'username', holds: 'Name at the platform.', ends: PLATFORM },
    { column: 'email', holds: 'Address.', ends: PLATFORM },
    { column: 'email_key', holds: 'The address as it is compared.', ends: PLATFORM },
    { column: 'full_name', holds: 'Name.', ends: PLATFORM },
  ],
  assignments: [
    { column: 'learner_email', holds: 'Address.', ends: RETIRES },
    { column: 'learner_email_key', holds: 'The address as it is compared.', ends: RETIRES },
  ],
  assignment_actions: [{ column: 'learner_email', holds: 'Address at the time of the action.', ends: RETIRES }],
  audit_changes: [{ column: 'learner_email', holds: 'Address of the learner whom a change is about.', ends: RETIRES }],
  allocation_chunks: [
    { column: 'learner_emails', holds: 'Addresses of a bulk allocation.', ends: EXPIRES },
    { column: 'outcomes', holds: 'What became of each of them.', ends: EXPIRES },
  ],
  ledger_transactions: [
    {
      column: 'lms_user_email',
      holds: 'Address at the time of the spend, as the reports of the subsidy service show it.',
      ends: BOOKS,
    },
    { column: 'metadata', holds: 'What the caller of a spend added.', ends: BOOKS },
  ],
  redemptions: [
    { column: 'content', holds: 'Address at the time of the spend, for the ledger.', ends: BOOKS },
    { column: 'metadata', holds: 'What the caller of a spend added.', ends: BOOKS },
  ],
  idempotency_records: [{ column: 'reply', holds: 'The reply to a mutation, to be replayed.', ends: EXPIRES }],
  outbox: [{ column: 'payload', holds: 'Events, some with the address of a learner.', ends: EXPIRES }],
  bus_messages: [{ column: 'payload', holds: 'Events, some with the address of a learner.', ends: EXPIRES }],
  dead_letters: [
    {
      column: 'message',
      holds: 'Messages that could not be used, until some time after they were dealt with.',
      ends: EXPIRES,
    },
  ],
  job_runs: [{ column: 'result', holds: 'What a job reports.', ends: EXPIRES }],
};
