import type { Connection, TableModel } from '@enterprise-access/db';
import type { AnyRouter } from '@trpc/server';
import type { z } from 'zod';
import type { Consumer } from './consumer.ts';
import type { Contract, StreamContract } from './contract.ts';
import type { EventDeclaration } from './event.ts';
import type { Job } from './jobs/job.ts';
import type { LegacyForm } from './legacy.ts';
import type { Permission, RoleSources } from './permissions.ts';
import type { FollowAssignments } from './ports/followers.ts';
import type { Setting } from './settings.ts';
import type { Workflow } from './workflow.ts';

/** A namespace of the API, such as `policies` of `policies.list`. Several slices can add to one namespace. */
export interface Namespace<R extends AnyRouter = AnyRouter> {
  /** The procedures. */
  readonly router: R;
  /** The contracts, by procedure name. */
  readonly contracts: Readonly<Record<string, Contract | StreamContract>>;
  /** Differences of REST replies from the default form of the contract. */
  readonly legacy?: Readonly<Record<string, LegacyForm>>;
  /** Objects in replies of several operations, by their names in clients. */
  readonly models?: Readonly<Record<string, z.ZodObject>>;
  /** Description of the namespace for the documentation; given by one slice. */
  readonly tag?: string;
}

/** Finds the customer that owns a resource. */
export interface Owner {
  readonly find: (db: Connection, uuid: string) => Promise<string | null>;
  /** Whether owners can be cached; false for resources that can be deleted. */
  readonly remembered: boolean;
}

/** A job with its schedule: minute, hour, day, month, weekday; UTC. */
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
  /** By resource kind, as in a contract's `context.from`. */
  readonly owners?: Readonly<Record<string, Owner>>;
  readonly jobs?: readonly (Job | ScheduledJob)[];
  /** Types of events that this slice sends, or reads from other services. */
  readonly events?: readonly EventDeclaration[];
  readonly consumers?: readonly Consumer[];
  readonly settings?: Readonly<Record<string, Setting>>;
  /** Moves rows of this slice with the assignments that they depend on. */
  readonly followAssignments?: FollowAssignments;
  /** Every version of its workflows that can still be under way. */
  readonly workflows?: readonly Workflow[];
  /** Variables of mail campaign ids, with a description of each mail. */
  readonly campaigns?: Readonly<Record<string, string>>;
}

/** Declares the manifest of a slice, which lists everything it adds. `slices.ts` lists the manifests. */
export const defineSlice = <const S extends Slice>(slice: S): S => slice;
