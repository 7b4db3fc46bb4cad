import {
  allocates,
  allocationCheckNames,
  allocationChecks,
  allocationOf,
  failedAllocationCheck,
  type SupportFacts,
  UNSUPPORTED,
} from '../assignments/index.ts';
import type { Decision, StoredFacts } from '../decisions/index.ts';
import { factsOf, redemptionCheckNames, requestCheckNames } from './decide.ts';
import { checks, type RequestFacts, refusal, requestChecks, requestRefusal } from './rules.ts';

/** A check by its name: its rule, and what it looked at. */
interface Known {
  readonly rule: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

interface Subject {
  /** Names of the checks in their order, by the version of the facts. */
  readonly names: Readonly<Record<number, readonly string[]>>;
  /** Today's reason of a refusal; null is allowed. */
  readonly judge: (facts: StoredFacts) => string | null;
  readonly known: (facts: StoredFacts) => ReadonlyMap<string, Known>;
}

const support = (facts: StoredFacts): SupportFacts => facts as unknown as SupportFacts;
const request = (facts: StoredFacts): RequestFacts => facts as unknown as RequestFacts;

const subjects: Readonly<Record<StoredFacts['of'], Subject>> = {
  redemption: {
    names: redemptionCheckNames,
    judge: (stored) => refusal(factsOf(stored)),
    known(stored) {
      const facts = factsOf(stored);
      return new Map(checks.map(({ reason, rule, inputs }) => [reason, { rule, inputs: inputs(facts) }]));
    },
  },
  allocation: {
    names: allocationCheckNames,
    judge: (stored) => failedAllocationCheck(allocationOf(stored)),
    known(stored) {
      const facts = allocationOf(stored);
      return new Map(allocationChecks.map(({ name, rule, inputs }) => [name, { rule, inputs: inputs(facts) }]));
    },
  },
  support: {
    names: { 1: [UNSUPPORTED] },
    judge: (stored) => (allocates(support(stored)) ? null : UNSUPPORTED),
    known: ({ v: _v, of: _of, ...inputs }) => new Map([[UNSUPPORTED, { rule: 'R-ASG-02', inputs }]]),
  },
  request: {
    names: requestCheckNames,
    judge: (stored) => requestRefusal(request(stored)),
    known: ({ v: _v, of: _of, ...inputs }) => new Map(requestChecks.map(({ name, rule }) => [name, { rule, inputs }])),
  },
};

/** What is no rule over facts: it is decided while value is taken, and cannot be judged again. */
const afterChecks: Readonly<Record<string, Known>> = {
  reservation: { rule: 'R-RED-20', inputs: {} },
  fulfillment: { rule: 'R-CHK-14', inputs: {} },
};

const subjectOf = (facts: StoredFacts): Subject | undefined => subjects[facts.of];

/** Every check of a decision, in the order in which they decided, as it ended then. */
export function checksOf({ checks: notPassed, facts }: Decision) {
  const subject = subjectOf(facts);
  const names = subject?.names[facts.v] ?? [];
  const known = subject?.known(facts);
  const after = Object.keys(notPassed).filter((name) => !names.includes(name));
  return [...names, ...after].map((name) => {
    const { rule, inputs } = known?.get(name) ?? afterChecks[name] ?? { rule: null, inputs: {} };
    return { name, rule, verdict: notPassed[name] ?? ('passed' as const), inputs };
  });
}

/** Reasons of a refusal by the rules, then and today; null is allowed. Undefined when it cannot be judged any more. */
export function judgedAgain(decision: Decision): { was: string | null; is: string | null } | undefined {
  const { facts, checks: notPassed, reason } = decision;
  const subject = subjectOf(facts);
  if (!subject?.names[facts.v]) return undefined;
  // The checks had passed when the reservation met a limit.
  const was = Object.keys(notPassed).some((name) => Object.hasOwn(afterChecks, name)) ? null : reason;
  return { was, is: subject.judge(facts) };
}
