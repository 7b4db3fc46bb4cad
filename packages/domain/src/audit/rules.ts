import { formatDollars } from '../kernel/money.ts';
import type { AuditActorView, AuditChangeView, AuditEntryView } from './contract.ts';

type Entry = Pick<AuditEntryView, 'operation' | 'source' | 'actor' | 'reason'>;
type Change = Pick<AuditChangeView, 'subjectKind' | 'action' | 'note' | 'before' | 'after'>;

/** What else an entry changed. */
export interface Others {
  readonly named: readonly { readonly subjectKind: string; readonly subjectUuid: string }[];
  /** All of them. */
  readonly count: number;
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

/** Fields that are not called what people call them. */
const FIELD_WORDS: Readonly<Record<string, string>> = {
  acceptedAt: 'time of acceptance',
  accessMethod: 'access',
  activeDatetime: 'start',
  allocatedAt: 'time of allocation',
  cancelledAt: 'time of cancellation',
  contentKey: 'content',
  contentPriceCents: 'price',
  courseRunKey: 'course run',
  erroredAt: 'time of failure',
  expirationDatetime: 'expiration',
  expiredAt: 'time of expiry',
  isReversed: 'reversed',
  isSoftDeleted: 'deleted',
  learnerEmail: 'address of the learner',
  lmsUserEmail: 'address of the learner',
  lmsUserId: 'learner',
  perLearnerEnrollmentLimit: 'enrollments per learner',
  perLearnerSpendLimitCents: 'spend limit per learner',
  quantityCents: 'amount',
  remindedAt: 'time of the last reminder',
  retiredAt: 'time of retirement',
  reversedAt: 'time of reversal',
  waitToRedeem: 'waits to be redeemed',
};

/** The name of a field in plain words. */
export const fieldWords = (name: string): string =>
  FIELD_WORDS[name] ??
  name
    .replace(/(?<=.)(?:Cents|Datetime|Uuid)$/, '')
    .replace(/(?<=.)At$/, 'Time')
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const kindWords = (kind: string): string => kind.replaceAll('_', ' ');

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/;
const LONGEST_VALUE = 200;

/** `June 1, 2026, 12:00 UTC` */
const timeWords = (date: Date): string =>
  `${date.toLocaleDateString('en-US', { dateStyle: 'long', timeZone: 'UTC' })}, ${date.toISOString().slice(11, 16)} UTC`;

/** A value as people read it. */
export function valueWords(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return name.endsWith('Cents') ? formatDollars(value) : String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (TIME.test(text) && !Number.isNaN(Date.parse(text))) return timeWords(new Date(text));
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

const HIDDEN = '***';

function differences(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  return Object.keys({ ...before, ...after }).map((stored) => {
    const name = camelCase(stored);
    const [was, is] = [before[stored], after[stored]];
    if (was === HIDDEN || is === HIDDEN) return `${fieldWords(name)} changed`;
    return `${fieldWords(name)} from ${valueWords(name, was)} to ${valueWords(name, is)}`;
  });
}

/** What a row said; ids of other things and what is hidden tell nobody anything. */
const facts = (values: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(values).flatMap(([stored, value]) => {
    const name = camelCase(stored);
    if (value === null || value === '' || value === false || value === HIDDEN || /uuid$/i.test(name)) return [];
    return [`${fieldWords(name)} ${valueWords(name, value)}`];
  });

const MOST_FACTS = 8;

function detailsOf({ action, before, after }: Change): string {
  const all = action === 'updated' && before !== null ? differences(before, after ?? {}) : facts(after ?? before ?? {});
  const shown = all.slice(0, MOST_FACTS);
  const rest = all.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more ${rest === 1 ? 'field' : 'fields'}`] : [])].join(', ');
}

const NOTES: Readonly<Record<string, string>> = {
  acknowledged: 'took notice of the end of',
  address_retired: 'forgot the address of',
  deposit: 'added value to',
  reminded: 'sent a reminder of',
  resumed: 'let go on',
};

const VERBS: Readonly<Record<Change['action'], string>> = {
  created: 'created',
  updated: 'changed',
  deleted: 'deleted',
};

const PEOPLE: Readonly<Record<Exclude<AuditActorView['kind'], 'service'>, readonly [named: string, unnamed: string]>> =
  {
    operator: ['Operator', 'An operator'],
    administrator: ['Administrator', 'An administrator'],
    learner: ['The learner with user id', 'A learner'],
    unknown: ['User', 'Somebody'],
  };

function actorWords({ actor: { kind, userId }, source, operation }: Entry): string {
  if (kind === 'service') {
    if (source === 'job') return `The job ${operation}`;
    return source === 'event' ? `The event ${operation}` : 'The service';
  }
  const [named, unnamed] = PEOPLE[kind];
  return userId === null ? unnamed : `${named} ${userId}`;
}

const WAYS: Readonly<Record<string, string>> = {
  rest: ' through the REST API',
  trpc: ' through the tRPC API',
  panel: ' through the panel of the operators',
  import: ' with an earlier release',
};

/** How many other things are named. */
export const MOST_OTHERS = 3;

function othersWords({ named, count }: Others): string {
  if (count === 0) return '';
  const shown = named
    .slice(0, MOST_OTHERS)
    .map(({ subjectKind, subjectUuid }) => `${kindWords(subjectKind)} ${subjectUuid}`);
  const rest = count - shown.length;
  const all = [...shown, ...(rest > 0 ? [`${rest} more ${rest === 1 ? 'thing' : 'things'}`] : [])];
  const last = all.pop();
  return `, together with ${all.length === 0 ? last : `${all.join(', ')} and ${last}`}`;
}

/** One change as a sentence: `Administrator 42 changed the policy through the REST API: spend limit from … to ….` */
export function sentenceOf(entry: Entry, change: Change, others: Others): string {
  const verb =
    change.note === null ? VERBS[change.action] : (NOTES[change.note] ?? `${VERBS[change.action]} (${change.note})`);
  const what = `${actorWords(entry)} ${verb} the ${kindWords(change.subjectKind)}`;
  const details = detailsOf(change);
  const reason = entry.reason === null ? '' : ` Reason given: “${entry.reason}”.`;
  return `${what}${WAYS[entry.source] ?? ''}${othersWords(others)}${details === '' ? '' : `: ${details}`}.${reason}`;
}
