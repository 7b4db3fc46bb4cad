import { hash } from 'node:crypto';
import { Client } from 'memjs';
import type { Log } from '../runtime.ts';
import { memcachedTroubled } from '../telemetry.ts';

/** memcached did not execute a command in time or at all. Callers continue without it. */
export class SharedStoreUnavailable extends Error {
  override readonly name = 'SharedStoreUnavailable';
}

/** A key-value store with expiry that several processes share. All methods reject with `SharedStoreUnavailable` only. */
export interface SharedStore {
  get(key: string): Promise<string | null>;
  set(key: string, text: string, ttlMs: number): Promise<void>;
  /** Stores the value unless the key exists; returns false if it exists. */
  add(key: string, text: string, ttlMs: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  /** Adds `by` to a counter and returns it. A counter starts at zero and expires `ttlMs` after its first use. */
  increment(key: string, by: number, ttlMs: number): Promise<number>;
  /** Registers a listener that is called when a lost server answers again. */
  onReturn(listener: () => void): void;
  close(): void;
}

export interface MemcachedOptions {
  /** `[user:password@]host[:port]`, one per server. */
  readonly servers: readonly string[];
  /** Timeout of a command, including the connection, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** The library's own timeout, in seconds; only a fallback, because ours is shorter. */
const LIBRARY_TIMEOUT_SECONDS = 30;
const NOT_STORED = 'MemJS INCREMENT: Item not stored';
const NO_LOG = { log: () => undefined };

/**
 * The part of a key that selects the server. Keys that differ only after `#` are on one server, which keeps the order
 * of commands.
 */
const placeOf = (key: string): string => key.split('#', 1)[0] ?? key;

/** Rendezvous hashing: when a server is added or removed, only its own share of keys moves. */
function serverOf<T extends { readonly address: string }>(servers: readonly T[], key: string): T | undefined {
  if (servers.length < 2) return servers[0];
  const weight = ({ address }: T) => hash('sha1', `${address} ${placeOf(key)}`);
  return servers.reduce((best, server) => (weight(server) > weight(best) ? server : best));
}

/** Converts to whole seconds, as memcached requires; never zero, which would mean no expiry. */
const seconds = (ttlMs: number): number => Math.max(1, Math.ceil(ttlMs / 1_000));

/** Store in memcached. Commands to a lost server fail immediately. */
export function memcached(options: MemcachedOptions): SharedStore {
  const listeners: (() => void)[] = [];
  const servers = options.servers.map((address) =>
    connection(address, options, () => {
      for (const listener of listeners) listener();
    }),
  );
  async function run<T>(key: string, command: (client: Client) => Promise<T>): Promise<T> {
    const server = serverOf(servers, key);
    if (!server) throw new SharedStoreUnavailable('There is no server.');
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
        // If several processes create a counter at once, memcached rejects all but one; then the counter exists.
        const { value } = await add().catch((error: Error) =>
          error.message === NOT_STORED ? add() : Promise.reject(error),
        );
        if (typeof value !== 'number') throw new SharedStoreUnavailable('There is no counter.');
        return value;
      }),
    onReturn: (listener) => void listeners.push(listener),
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/**
 * One server. Each client of the library is used for one connection only: it would keep a partial reply for the next
 * connection, and does not reject pending commands when the server closes the connection.
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
        // The next command reconnects and finds out whether the server is lost.
        socket.once('close', () => {
          discard(opened);
          if (client === opened) client = undefined;
        });
      });
    }
    return opened;
  }

  /** Probes a lost server in the background, so that no request has to wait for it. */
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
    // Every pending command reports the same loss; handle it once.
    if (client !== failed) return;
    client = undefined;
    isLost = true;
    memcachedTroubled.publish({ kind: 'lost' });
    log.warn({ server: nameOf(address), err: error }, 'memcached does not answer; values are loaded without it');
    if (!isClosed) probe(0);
  }

  return {
    address,
    async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
      if (isLost || isClosed) throw new SharedStoreUnavailable('The server does not answer.');
      client ??= open();
      const used = client;
      try {
        return await inTime(command(used), timeoutMs);
      } catch (error) {
        // The server answered with an error, so it is not lost.
        const isRefusal =
          error instanceof SharedStoreUnavailable || (error instanceof Error && error.message.startsWith('MemJS '));
        if (!isRefusal) lose(used, error);
        throw new SharedStoreUnavailable('The server did not execute the command.', { cause: error });
      }
    },
    close() {
      isClosed = true;
      clearTimeout(probing);
      if (client) discard(client);
    },
  };
}

/** Address for logs, without the password. */
const nameOf = (address: string): string => address.split('@').at(-1) ?? '';

/** Closes the connection immediately and rejects pending commands. */
function discard(client: Client): void {
  for (const server of client.servers) server.error(new Error('The connection was closed.'));
}

/**
 * Applies a timeout. If the event loop was blocked, replies that have arrived meanwhile are read first, so that a
 * busy process does not take the server for lost.
 */
function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('Timeout.'));
    const timer = setTimeout(() => setImmediate(late), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
