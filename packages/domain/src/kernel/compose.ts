import { type Connection, type PersonalData, platformTables, type TableModel } from '@enterprise-access/db';
import type { AnyRouter, TRPCRouterRecord } from '@trpc/server';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { type Grant, grantOfAssignment, grantsOfToken } from './actor.ts';
import type { Consumer } from './consumer.ts';
import type { Contract, StreamContract } from './contract.ts';
import type { EventDeclaration } from './event.ts';
import { idempotencyRecords } from './idempotency.ts';
import type { Job } from './jobs/job.ts';
import { jobRuns } from './jobs/runs.ts';
import type { LegacyForm } from './legacy.ts';
import type { RoleSources } from './permissions.ts';
import { mergeRouters, router } from './rpc.ts';
import type { OwnerOf } from './runtime.ts';
import type { Setting, Settings } from './settings.ts';
import type { Namespace, Owner, ScheduledJob, Slice } from './slice.ts';
import type { Workflow, WorkflowOf } from './workflow.ts';

/** An operation, for documents, routes and tests. */
export interface Operation {
  /** `policies.list` */
  readonly id: string;
  readonly domain: string;
  readonly contract: Contract;
  readonly legacy: LegacyForm;
}

/** A stream, for documents, clients and tests. */
export interface StreamOperation {
  /** `jobs.progress` */
  readonly id: string;
  readonly domain: string;
  readonly contract: StreamContract;
}

/** A schema that several replies share, with its name in clients. */
export interface Model {
  /** `transactionView` */
  readonly name: string;
  readonly schema: z.ZodObject;
}

const byKey = <T>(entries: readonly (readonly [string, T])[]) => entries.toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Merges records; throws if two of them have the same name. */
function union<T>(what: string, records: readonly (Readonly<Record<string, T>> | undefined)[]): Map<string, T> {
  const all = new Map<string, T>();
  for (const [name, value] of records.flatMap((record) => Object.entries(record ?? {}))) {
    if (all.has(name)) throw new Error(`Two slices declare the ${what} named ${name}.`);
    all.set(name, value);
  }
  return all;
}

function namespacesOf(slices: readonly Slice[]): [string, Namespace[]][] {
  const all = new Map<string, Namespace[]>();
  for (const [name, namespace] of slices.flatMap(({ namespaces = {} }) => Object.entries(namespaces)))
    all.set(name, [...(all.get(name) ?? []), namespace]);
  return byKey([...all]).map(([name, parts]) => [name, parts]);
}

type RecordOf<R> = R extends { readonly _def: { readonly record: infer D } } ? D : never;
type NameOf<S> = S extends { readonly namespaces: infer N } ? keyof N : never;
type PartOf<S, K> = S extends { readonly namespaces: { readonly [N in K & PropertyKey]: { readonly router: infer R } } }
  ? RecordOf<R>
  : never;
type Intersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;
/** The procedures of all slices by namespace; several slices can add to one namespace. */
type RouterRecordOf<S extends readonly Slice[]> = {
  [K in NameOf<S[number]>]: Intersection<PartOf<S[number], K>> extends infer R extends TRPCRouterRecord ? R : never;
};

/** The tRPC router of all slices. */
function routerOf<S extends readonly Slice[]>(slices: S): ReturnType<typeof router<RouterRecordOf<S>>> {
  const parts = namespacesOf(slices).map(([name, all]) => {
    const routers = all.map((namespace) => namespace.router);
    return [name, routers.length === 1 ? routers[0] : mergeRouters(...routers)];
  });
  return router(Object.fromEntries(parts)) as never;
}

const isStream = (contract: Contract | StreamContract): contract is StreamContract => contract.kind === 'subscription';

/** Operations, streams and models of the slices, sorted by name. */
function catalogueOf(slices: readonly Slice[]) {
  const operations: Operation[] = [];
  const streams: StreamOperation[] = [];
  const models: Model[] = [];
  const tags: Record<string, string> = {};
  const permissions = new Set(slices.flatMap(({ permissions: all = [] }) => all));
  const kinds = new Set([
    'customer',
    'platform',
    'anywhere',
    'caller',
    ...slices.flatMap(({ owners = {} }) => Object.keys(owners)),
  ]);
  for (const [domain, parts] of namespacesOf(slices)) {
    const contracts = union(
      `operation of ${domain}`,
      parts.map((part) => part.contracts),
    );
    const forms = union(
      `legacy form of ${domain}`,
      parts.map((part) => part.legacy),
    );
    for (const name of forms.keys())
      if (!contracts.has(name)) throw new Error(`A legacy form is given for ${domain}.${name}, which is no operation.`);
    const procedures = new Set(parts.flatMap(({ router: { _def } }) => Object.keys(_def.procedures)));
    for (const name of procedures)
      if (!contracts.has(name)) throw new Error(`There is a procedure but no contract named ${domain}.${name}.`);
    for (const [name, contract] of byKey([...contracts])) {
      const id = `${domain}.${name}`;
      if (!procedures.has(name)) throw new Error(`There is a contract but no procedure named ${id}.`);
      if (contract.permission.open === undefined && !permissions.has(contract.permission))
        throw new Error(`No slice declares the permission of ${id}.`);
      if (!kinds.has(contract.context.from))
        throw new Error(`No slice declares the owner of a ${contract.context.from}.`);
      if (isStream(contract)) streams.push({ id, domain, contract });
      else operations.push({ id, domain, contract, legacy: forms.get(name) ?? {} });
    }
    const shapes = union(
      'model',
      parts.map((part) => part.models),
    );
    for (const [name, schema] of byKey([...shapes])) models.push({ name, schema });
    const [sentence, another] = parts.flatMap(({ tag = [] }) => tag);
    if (sentence === undefined || another !== undefined)
      throw new Error(`One slice says in \`tag\` what ${domain} is about.`);
    tags[domain] = sentence;
  }
  return { operations, streams, models, tags };
}

const isScheduled = (job: Job | ScheduledJob): job is ScheduledJob => 'cron' in job;

/** All jobs, and the schedules of the scheduled ones. */
function jobsOf(slices: readonly Slice[]): {
  jobs: readonly Job[];
  schedules: readonly { job: string; cron: string }[];
} {
  const declared = slices.flatMap(({ jobs: all = [] }) => all);
  return {
    jobs: declared.map((each) => (isScheduled(each) ? each.job : each)),
    schedules: declared.filter(isScheduled).map(({ job, cron }) => ({ job: job.contract.name, cron })),
  };
}

/** Every event type by its name. */
const eventsOf = (slices: readonly Slice[]): ReadonlyMap<string, EventDeclaration> =>
  union(
    'event',
    slices.flatMap(({ events = [] }) => events.map((event) => ({ [event.type]: event }))),
  );

function consumersOf(slices: readonly Slice[]): readonly Consumer[] {
  const events = eventsOf(slices);
  const consumers = slices.flatMap((slice) => slice.consumers ?? []);
  for (const { type } of consumers) if (!events.has(type)) throw new Error(`No slice declares the event ${type}.`);
  return consumers;
}

/** Roles of all slices: from tokens and from stored assignments. */
function rolesOf(slices: readonly Slice[]): RoleSources {
  const system: Record<string, string[]> = {};
  for (const [name, roles] of slices.flatMap((slice) => Object.entries(slice.roles?.system ?? {})))
    system[name] = [...(system[name] ?? []), ...roles];
  const stored = union(
    'stored role',
    slices.map(({ roles }) => roles?.stored),
  );
  const accounts = union(
    'service account',
    slices.map(({ roles }) => roles?.accounts),
  );
  return { system, stored: Object.fromEntries(stored), accounts: Object.fromEntries(accounts) };
}

/** Maps roles of tokens and of stored assignments to grants. */
function grantReader(slices: readonly Slice[]) {
  const sources = rolesOf(slices);
  return {
    grantsOfToken: (roles: readonly string[]): Grant[] => grantsOfToken(sources, roles),
    grantOfAssignment: (role: string, customer: string | null): Grant | null =>
      grantOfAssignment(sources, role, customer),
    /** Grants of a service account that a setting names. */
    grantsOfAccount: (username: string, settings: object): Grant[] =>
      Object.entries(sources.accounts ?? {}).flatMap(([setting, role]) =>
        (settings as Readonly<Record<string, unknown>>)[setting] === username ? [{ role, context: '*' }] : [],
      ),
  };
}

/** How many owners a process caches per kind. */
const REMEMBERED = 10_000;

/** Caches owners that never change. Missing resources are not cached, because they can be created at any time. */
function remembered(look: (uuid: string) => Promise<string | null>) {
  const known = new LRUCache<string, string>({ max: REMEMBERED });
  const lookAgain = async (uuid: string): Promise<string | null> => {
    const owner = await look(uuid);
    if (owner !== null) known.set(uuid, owner);
    return owner;
  };
  return (uuid: string) => known.get(uuid) ?? lookAgain(uuid);
}

/** Finds the customer that owns a resource; needed for the permission check of every request. */
function ownersOf(slices: readonly Slice[]) {
  const owners = union<Owner>(
    'owner of',
    slices.map((slice) => slice.owners),
  );
  return (db: Connection): OwnerOf => {
    const finders = new Map(
      [...owners].map(([kind, owner]) => {
        const find = (uuid: string) => owner.find(db, uuid);
        return [kind, owner.remembered ? remembered(find) : find];
      }),
    );
    return (kind, uuid) => {
      const find = finders.get(kind);
      if (!find) throw new Error(`No slice declares the owner of a ${kind}.`);
      return find(uuid);
    };
  };
}

/** The environment variables of the slices, and the function that converts their values to settings. */
function settingsOf(slices: readonly Slice[]) {
  const settings = union<Setting>(
    'setting',
    slices.map((slice) => slice.settings),
  );
  const variables = union<z.ZodType>(
    'variable',
    [...settings.values()].map(({ variable, schema }) => ({ [variable]: schema })),
  );
  return {
    variables: Object.fromEntries(variables),
    /** Converts parsed variables to settings; the schemas give the types. */
    read: (env: Readonly<Record<string, unknown>>): SliceSettings =>
      Object.fromEntries([...settings].map(([name, { variable }]) => [name, env[variable]])) as never,
    /** Default settings of the slices. */
    standard: (): SliceSettings =>
      Object.fromEntries([...settings].map(([name, { schema }]) => [name, schema.parse(undefined)])) as never,
  };
}
type SliceSettings = Omit<
  Settings,
  'publicUrl' | 'lmsUrl' | 'learningUrl' | 'learnerPortalUrl' | 'adminPortalUrl' | 'subsidyUrl'
>;

/** Finds a workflow by its kind and version. */
function workflowsOf(slices: readonly Slice[]): WorkflowOf {
  const nameOf = (kind: string, version: number) => `${kind} ${version}`;
  const all = union<Workflow>(
    'workflow',
    slices.flatMap(({ workflows = [] }) =>
      workflows.map((workflow) => ({ [nameOf(workflow.spec.kind, workflow.spec.version)]: workflow })),
    ),
  );
  return (kind, version) => all.get(nameOf(kind, version));
}

/** Variables of mail campaign ids, with a description of each mail. */
const campaignsOf = (slices: readonly Slice[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    union(
      'campaign',
      slices.map((slice) => slice.campaigns),
    ),
  );

/** Tables of the kernel. */
export const kernelTables = [idempotencyRecords, jobRuns] as const;

/** Every table by its name: of the platform, of the kernel and of the slices. */
function tablesOf(slices: readonly Slice[]): ReadonlyMap<string, TableModel> {
  const declared = [...platformTables, ...kernelTables, ...slices.flatMap(({ tables = [] }) => tables)];
  return union(
    'table',
    declared.map((model) => ({ [model.table]: model })),
  );
}

/** A column with personal data, and how it is deleted. */
export interface PersonalColumn extends PersonalData {
  readonly table: string;
  readonly column: string;
}

/**
 * All columns with personal data. Ids of learners and actors are not included: they identify nobody without the
 * platform. A test compares this with the database schema.
 */
const personalDataOf = (slices: readonly Slice[]): readonly PersonalColumn[] =>
  [...tablesOf(slices).values()].flatMap(({ table, personal }) =>
    Object.entries(personal).map(([column, what]) => ({ table, column, ...what })),
  );

/**
 * Combines the declarations of all slices: processes run them, and documents, clients and tests are generated from
 * them.
 */
export function compose<const S extends readonly Slice[]>(slices: S) {
  return {
    appRouter: routerOf(slices),
    ...catalogueOf(slices),
    ...jobsOf(slices),
    ...grantReader(slices),
    events: eventsOf(slices),
    workflowOf: workflowsOf(slices),
    consumers: consumersOf(slices),
    ownersIn: ownersOf(slices),
    settings: settingsOf(slices),
    campaigns: campaignsOf(slices),
    tables: tablesOf(slices),
    personalData: personalDataOf(slices),
  };
}

/** A composed service, independent of its slices. */
export type Composition = Omit<ReturnType<typeof compose>, 'appRouter'> & { readonly appRouter: AnyRouter };
