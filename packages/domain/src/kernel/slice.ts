import type { Connection, TableModel } from '@enterprise-access/db';
import type { AnyRouter } from '@trpc/server';
import type { z } from 'zod';
import type { Consumer } from './consumer.ts';
import type { Contract, StreamContract } from './contract.ts';
import type { Job } from './jobs/job.ts';
import type { LegacyForm } from './legacy.ts';
import type { Permission, RoleSources } from './permissions.ts';
import type { Setting } from './settings.ts';

/** Operations under one name of the API: `policies` of `policies.list`. Several slices may add to one name. */
export interface Namespace<R extends AnyRouter = AnyRouter> {
  /** What runs. */
  readonly router: R;
  /** What is promised, by the names of the procedures. */
  readonly contracts: Readonly<Record<string, Contract | StreamContract>>;
  /** Where REST replies differ from the plain form of the contract. */
  readonly legacy?: Readonly<Record<string, LegacyForm>>;
  /** Objects that several operations answer with, by the names that clients give them. */
  readonly models?: Readonly<Record<string, z.ZodObject>>;
  /** A sentence about the namespace for the documentation; one slice gives it. */
  readonly tag?: string;
}

/** Finds the customer that a thing belongs to. */
export interface Owner {
  readonly find: (db: Connection, uuid: string) => Promise<string | null>;
  /** False for things that can disappear; what never changes hands is remembered. */
  readonly remembered: boolean;
}

/** A job, and when it runs by itself: minute, hour, day, month, weekday; UTC. */
export interface ScheduledJob {
  readonly job: Job;
  readonly cron: string;
}

/** Everything that a slice adds to the service. */
export interface Slice {
  /** Name of its folder. */
  readonly name: string;
  /** Tables that this slice alone reads and writes. */
  readonly tables?: readonly TableModel[];
  readonly namespaces?: Readonly<Record<string, Namespace>>;
  readonly permissions?: readonly Permission[];
  readonly roles?: RoleSources;
  /** By the kind of thing that a contract's `context.from` names. */
  readonly owners?: Readonly<Record<string, Owner>>;
  readonly jobs?: readonly (Job | ScheduledJob)[];
  readonly consumers?: readonly Consumer[];
  readonly settings?: Readonly<Record<string, Setting>>;
  /** Variables with the ids of mail campaigns, and what each mail is about. */
  readonly campaigns?: Readonly<Record<string, string>>;
}

/** The manifest of a slice: the one place that says what it adds. `slices.ts` lists the manifests. */
export const defineSlice = <const S extends Slice>(slice: S): S => slice;
