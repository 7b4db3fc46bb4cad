import * as assignments from './assignments/contract.ts';
import { legacy as assignmentsLegacy } from './assignments/legacy.ts';
import * as groups from './groups/contract.ts';
import { legacy as groupsLegacy } from './groups/legacy.ts';
import * as jobs from './jobs/contract.ts';
import type { Contract } from './kernel/contract.ts';
import type { LegacyForm } from './kernel/legacy.ts';
import * as ledger from './ledger/contract.ts';
import { legacy as ledgerLegacy } from './ledger/legacy.ts';
import * as policies from './policies/contract.ts';
import { legacy as policiesLegacy } from './policies/legacy.ts';
import * as redemptions from './redemptions/contract.ts';
import { legacy as redemptionsLegacy } from './redemptions/legacy.ts';

/** One operation of the system, as documents, routes and tests see it. */
export interface Operation {
  /** `policies.list` */
  readonly id: string;
  readonly domain: string;
  readonly contract: Contract;
  readonly legacy: LegacyForm;
}

const slices = {
  assignments: { exports: assignments, legacy: assignmentsLegacy },
  groups: { exports: groups, legacy: groupsLegacy },
  jobs: { exports: jobs, legacy: {} },
  ledger: { exports: ledger, legacy: ledgerLegacy },
  policies: { exports: policies, legacy: policiesLegacy },
  redemptions: { exports: redemptions, legacy: redemptionsLegacy },
};

const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' && value !== null && 'rest' in value && 'permission' in value;

/** Every operation, gathered from the slices' contracts. */
export const operations: readonly Operation[] = Object.entries(slices).flatMap(([domain, slice]) =>
  Object.entries(slice.exports).flatMap(([name, contract]) =>
    isContract(contract)
      ? [
          {
            id: `${domain}.${name}`,
            domain,
            contract,
            legacy: (slice.legacy as Record<string, LegacyForm>)[name] ?? {},
          },
        ]
      : [],
  ),
);
