import { hash } from 'node:crypto';
import { Client } from 'memjs';
import type { Log } from '../runtime.ts';
import { memcachedTroubled } from '../telemetry.ts';

/** The shared tier did not do what was asked, in time or at all. Callers go on without it. */
export class Unshared extends Error {
  override readonly name = 'Unshared';
}

/** Short texts that several processes share, each gone after its time. Everything rejects with `Unshared` at worst. */
export interface SharedStore {
  get(key: string): Promise<string | null>;
  set(key: string, text: string, ttlMs: number): Promise<void>;
  /** Stores only where nothing stands; false when something does. */
  add(key: string, text: string, ttlMs: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** The counter with `by` added. It starts at zero, and lives from its first use for `ttlMs`. */
  increment(key: string, by: number, ttlMs: number): Promise<number>;
  /** Calls back whenever a server answers again after it was lost. */
  onReturn(listener: () => void): void;
  close(): void;
}

export interface MemcachedOptions {
  /** `[user:password@]host[:port]`, one per server. */
  readonly servers: readonly string[];
  /** Bound on one command, connecting included, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** Our own bound strikes first; the library's is a second net. In seconds. */
const LIBRARY_TIMEOUT_SECONDS = 30;
const NOT_STORED = 'MemJS INCREMENT: Item not stored';
const NO_LOG = { log: () => undefined };

/** Keys that belong together are on one server, where commands keep their order: what follows `#` does not count. */
const placeOf = (key: string): string => key.split('#', 1)[0] ?? key;

/** Highest random weight: when a server is added or leaves, only its own share of keys moves. */
function serverOf<T extends { readonly address: string }>(servers: readonly T[], key: string): T | undefined {
  if (servers.length < 2) return servers[0];
  const weight = ({ address }: T) => hash('sha1', `${address} ${placeOf(key)}`);
  return servers.reduce((best, server) => (weight(server) > weight(best) ? server : best));
}

/** Whole seconds, because memcached knows no others; never zero, which would mean for ever. */
const seconds = (ttlMs: number): number => Math.max(1, Math.ceil(ttlMs / 1_000));

/** memcached behind the interface; without a server that answers, commands fail at once. */
export function memcached(options: MemcachedOptions): SharedStore {
  const listeners: (() => void)[] = [];
  const servers = options.servers.map((address) =>
    connection(address, options, () => {
      for (const listener of listeners) listener();
    }),
  );
  async function run<T>(key: string, command: (client: Client) => Promise<T>): Promise<T> {
    const server = serverOf(servers, key);
    if (!server) throw new Unshared('There is no server.');
    try {
      return await server.run(command);
    } catch (error) {
      memcachedTroubled.publish({ kind: 'failed' });
      throw error;
    }
  }
  return {
    get: (key) => run(key, async (client) => (await client.get(key)).value?.toString() ?? null),
    set: (key, text, ttlMs) =>
      run(key, async (client) => void (await client.set(key, text, { expires: seconds(ttlMs) }))),
    add: (key, text, ttlMs) => run(key, (client) => client.add(key, text, { expires: seconds(ttlMs) })),
    delete: (key) => run(key, async (client) => void (await client.delete(key))),
    increment: (key, by, ttlMs) =>
      run(key, async (client) => {
        const add = () => client.increment(key, by, { initial: by, expires: seconds(ttlMs) });
        // Of several who start a counter at one moment memcached turns away all but one; then there is a counter.
        const { value } = await add().catch((error: Error) =>
          error.message === NOT_STORED ? add() : Promise.reject(error),
        );
        if (typeof value !== 'number') throw new Unshared('There is no counter.');
        return value;
      }),
    onReturn: (listener) => void listeners.push(listener),
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/**
 * One server. The library's client is used for one connection and is then thrown away: it would keep half a reply for the
 * next connection, and forget who waits when the server closes politely.
 */
function connection(address: string, { timeoutMs, log }: MemcachedOptions, onReturn: () => void) {
  let client: Client | undefined;
  let isLost = false;
  let isClosed = false;
  let probing: NodeJS.Timeout | undefined;

  function open(): Client {
    const opened = Client.create(address, {
      retries: 1,
      timeout: LIBRARY_TIMEOUT_SECONDS,
      conntimeout: LIBRARY_TIMEOUT_SECONDS,
      keepAlive: true,
      logger: NO_LOG,
    });
    for (const server of opened.servers) {
      server.onConnect((socket) => {
        socket.setNoDelay(true);
        // Whether the server is lost shows with the next command, which connects anew.
        socket.once('close', () => {
          discard(opened);
          if (client === opened) client = undefined;
        });
      });
    }
    return opened;
  }

  /** Nobody waits for a server that is lost, so nobody's request tries whether it is back. */
  function probe(failures: number): void {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    probing = setTimeout(async () => {
      const trial = open();
      try {
        await inTime(trial.get('probe'), timeoutMs);
      } catch {
        discard(trial);
        if (!isClosed) probe(failures + 1);
        return;
      }
      if (isClosed) return discard(trial);
      client = trial;
      isLost = false;
      log.info({ server: nameOf(address) }, 'memcached answers again');
      onReturn();
    }, pause).unref();
  }

  function lose(failed: Client, error: unknown): void {
    discard(failed);
    // One loss is noticed by everybody who waits.
    if (client !== failed) return;
    client = undefined;
    isLost = true;
    memcachedTroubled.publish({ kind: 'lost' });
    log.warn({ server: nameOf(address), err: error }, 'memcached does not answer; its values are loaded anew');
    if (!isClosed) probe(0);
  }

  return {
    address,
    async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
      if (isLost || isClosed) throw new Unshared('The server does not answer.');
      client ??= open();
      const used = client;
      try {
        return await inTime(command(used), timeoutMs);
      } catch (error) {
        // The server answered; it is there and could not do this one thing.
        const isRefusal = error instanceof Unshared || (error instanceof Error && error.message.startsWith('MemJS '));
        if (!isRefusal) lose(used, error);
        throw new Unshared('The server did not do it.', { cause: error });
      }
    },
    close() {
      isClosed = true;
      clearTimeout(probing);
      if (client) discard(client);
    },
  };
}

/** Never the password. */
const nameOf = (address: string): string => address.split('@').at(-1) ?? '';

/** Ends the connection at once, and everybody's wait for it. */
function discard(client: Client): void {
  for (const server of client.servers) server.error(new Error('The connection was given up.'));
}

/**
 * The outcome, or a failure after `ms`. When this process was too busy to look, replies that have come in meanwhile are
 * read first: a full event loop shall not be taken for a dead server.
 */
function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('There was no answer in time.'));
    const timer = setTimeout(() => setImmediate(late), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
