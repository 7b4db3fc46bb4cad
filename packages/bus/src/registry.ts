import { Agent, request } from 'undici';
import { z } from 'zod';
import { Unreadable } from './unreadable.ts';

export interface RegistryOptions {
  /** Base URL of the Confluent API; can have a path. */
  readonly url: string;
  readonly key?: string | undefined;
  readonly secret?: string | undefined;
  /** Timeout of a request, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface SchemaRegistry {
  /** Returns the id of a schema under a subject; registers the schema if it is new. */
  register(subject: string, schema: string): Promise<number>;
  /** Returns the schema with this id; throws `Unreadable` if there is none. */
  schema(id: number): Promise<unknown>;
  close(): Promise<void>;
}

/** The registry gave no usable answer; retry later. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}

/** The registry rejects this schema for this subject. */
export class SchemaRejected extends Error {
  override readonly name = 'SchemaRejected';
}

const registered = z.object({ id: z.int() });
const found = z.object({ schema: z.string(), schemaType: z.string().optional() });

/** Client of a schema registry. Its answers never change, so they are cached without limit. */
export function schemaRegistry(options: RegistryOptions): SchemaRegistry {
  const root = options.url.replace(/\/+$/, '');
  const agent = new Agent({ connections: 4 });
  const authorization = `Basic ${Buffer.from(`${options.key ?? ''}:${options.secret ?? ''}`).toString('base64')}`;

  async function call(path: string, body?: object): Promise<{ status: number; reply: unknown }> {
    try {
      const response = await request(`${root}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        dispatcher: agent,
        signal: AbortSignal.timeout(options.timeoutMs ?? 5_000),
        headers: {
          authorization,
          accept: 'application/vnd.schemaregistry.v1+json, application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/vnd.schemaregistry.v1+json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.statusCode, reply: await response.body.json() };
    } catch (cause) {
      throw new RegistryUnavailable('The schema registry did not answer.', { cause });
    }
  }

  function accepted<T extends z.ZodType>(form: T, answer: { status: number; reply: unknown }): z.infer<T> {
    const parsed = form.safeParse(answer.reply);
    if (answer.status !== 200 || !parsed.success)
      throw new RegistryUnavailable(`The schema registry answered ${answer.status}.`);
    return parsed.data;
  }

  async function register(subject: string, schema: string): Promise<number> {
    const answer = await call(`/subjects/${encodeURIComponent(subject)}/versions`, { schema });
    if (answer.status === 409 || answer.status === 422)
      throw new SchemaRejected(`The schema registry refuses the schema of ${subject} with ${answer.status}.`);
    return accepted(registered, answer).id;
  }

  async function schema(id: number): Promise<unknown> {
    const answer = await call(`/schemas/ids/${id}`);
    if (answer.status === 404) throw new Unreadable('unknown_schema', `The registry has no schema ${id}.`);
    const { schema: text, schemaType } = accepted(found, answer);
    if (schemaType !== undefined && schemaType !== 'AVRO')
      throw new Unreadable('unknown_schema', `Schema ${id} is no Avro schema.`);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new Unreadable('unknown_schema', `Schema ${id} is not JSON.`, { cause });
    }
  }

  /**
   * By subject, then by schema. Looked up for every published event; nested maps avoid concatenating long texts as a
   * key.
   */
  const ids = new Map<string, Map<string, Promise<number>>>();
  const schemas = new Map<number, Promise<unknown>>();
  return {
    register(subject, text) {
      const known = ids.get(subject) ?? new Map<string, Promise<number>>();
      ids.set(subject, known);
      return once(known, text, () => register(subject, text));
    },
    schema: (id) => once(schemas, id, () => schema(id)),
    close: () => agent.destroy(),
  };
}

/** Shares one request among concurrent callers; caches answers but not failures. */
function once<K, V>(known: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const answer = ask();
  known.set(key, answer);
  answer.catch(() => known.delete(key));
  return answer;
}
