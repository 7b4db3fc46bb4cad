import { z } from 'zod';
import * as allocation from './assignments/allocation-contract.ts';
import { allocationLegacy } from './assignments/allocation-legacy.ts';
import * as assignments from './assignments/contract.ts';
import { legacy as assignmentsLegacy } from './assignments/legacy.ts';
import * as groups from './groups/contract.ts';
import { legacy as groupsLegacy } from './groups/legacy.ts';
import * as jobs from './jobs/contract.ts';
import type { Contract, StreamContract } from './kernel/contract.ts';
import type { LegacyForm } from './kernel/legacy.ts';
import { transactionView } from './ledger/contract.ts';
import * as policies from './policies/contract.ts';
import { legacy as policiesLegacy } from './policies/legacy.ts';
import * as redemptions from './redemptions/contract.ts';
import { legacy as redemptionsLegacy } from './redemptions/legacy.ts';
import * as ledger from './subsidies/contract.ts';
import { legacy as ledgerLegacy } from './subsidies/legacy.ts';

/** One operation of the system, as documents, routes and tests see it. */
export interface Operation {
  /** `policies.list` */
  readonly id: string;
  readonly domain: string;
  readonly contract: Contract;
  readonly legacy: LegacyForm;
}

/** A stream of the system, as documents, clients and tests see it. */
export interface StreamOperation {
  /** `jobs.progress` */
  readonly id: string;
  readonly domain: string;
  readonly contract: StreamContract;
}

const slices = {
  assignments: { exports: assignments, legacy: assignmentsLegacy },
  groups: { exports: groups, legacy: groupsLegacy },
  jobs: { exports: jobs, legacy: {} },
  ledger: { exports: { ...ledger, transactionView }, legacy: ledgerLegacy },
  policies: {
    exports: {
      ...policies,
      allocate: allocation.allocate,
      allocateInBulk: allocation.allocateInBulk,
      bulkReport: allocation.bulkReport,
      resumeBulk: allocation.resumeBulk,
    },
    legacy: { ...policiesLegacy, ...allocationLegacy },
  },
  redemptions: { exports: redemptions, legacy: redemptionsLegacy },
};

type Declared = readonly [id: string, domain: string, name: string, value: unknown];

const declarations: readonly Declared[] = Object.entries(slices).flatMap(([domain, slice]) =>
  Object.entries(slice.exports)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]): Declared => [`${domain}.${name}`, domain, name, value]),
);

const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' && value !== null && 'rest' in value && 'permission' in value;

const isStream = (value: unknown): value is StreamContract =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'subscription';

/** Every operation with one answer, gathered from the slices' contracts. */
export const operations: readonly Operation[] = declarations.flatMap(([id, domain, name, contract]) => {
  if (!isContract(contract)) return [];
  const forms: Readonly<Record<string, LegacyForm>> = slices[domain as keyof typeof slices].legacy;
  return [{ id, domain, contract, legacy: forms[name] ?? {} }];
});

/** Every stream; they are at the tRPC door only. */
export const streams: readonly StreamOperation[] = declarations.flatMap(([id, domain, , contract]) =>
  isStream(contract) ? [{ id, domain, contract }] : [],
);

/** A form that answers share, under the name that clients give it. */
export interface Model {
  /** `transactionView` */
  readonly name: string;
  readonly schema: z.ZodObject;
}

/** Every object that a contract exports. */
export const models: readonly Model[] = declarations.flatMap(([, , name, schema]) =>
  schema instanceof z.ZodObject ? [{ name, schema }] : [],
);
