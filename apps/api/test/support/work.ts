import { type Job, jobs, newUuid, runJob } from '@enterprise-access/domain';
import type { World } from './examples.ts';

interface Waiting {
  readonly position: number;
  readonly uuid: string;
  readonly name: string;
  readonly correlation_id: string | null;
  readonly payload: string | Record<string, unknown>;
}

export interface Worked {
  readonly name: string;
  readonly payload: Record<string, unknown>;
  readonly result: Record<string, unknown> | null;
  readonly error: unknown;
}

const named = (name: string): Job => {
  const found = jobs.find(({ contract }) => contract.name === name);
  if (!found) throw new Error(`There is no job ${name}.`);
  return found;
};

const payloadOf = ({ payload }: Waiting): Record<string, unknown> =>
  // MariaDB keeps JSON as text.
  typeof payload === 'string' ? JSON.parse(payload) : payload;

/** Runs one attempt of every job in the outbox. */
export async function work(world: World, options: { isLast?: boolean; only?: string } = {}): Promise<Worked[]> {
  const all: Waiting[] = await world.db('outbox').where({ kind: 'job' }).whereNull('sent').orderBy('position');
  const done: Worked[] = [];
  for (const waiting of all.filter(({ name }) => options.only === undefined || name === options.only)) {
    await world.db('outbox').where({ position: waiting.position }).update({ sent: new Date() });
    done.push(
      await attempt(world, waiting.name, payloadOf(waiting), {
        ...options,
        uuid: waiting.uuid,
        correlationId: waiting.correlation_id,
      }),
    );
  }
  return done;
}

/** Runs one attempt of a job. */
export async function attempt(
  world: World,
  name: string,
  payload: Record<string, unknown>,
  {
    uuid = newUuid(),
    isLast = false,
    dryRun = false,
    correlationId = null,
  }: { uuid?: string; isLast?: boolean; dryRun?: boolean; correlationId?: string | null } = {},
): Promise<Worked> {
  const signal = new AbortController().signal;
  try {
    const result = await runJob(world.runtime, named(name), { uuid, payload, signal, dryRun, isLast, correlationId });
    return { name, payload, result, error: null };
  } catch (error) {
    return { name, payload, result: null, error };
  }
}
