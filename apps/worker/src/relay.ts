import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Lane, lanesWithMessages, relayLane, type StoredMessage } from '@enterprise-access/db';
import type { Log } from '@enterprise-access/domain';

export interface Publisher {
  /** Publishes messages in order; resolves when they are stored at their destination. Safe to repeat. */
  publish(messages: readonly StoredMessage[]): Promise<void>;
  /** Names of messages whose destination is full; they stay in the outbox. */
  saturated(): Promise<readonly string[]>;
}

export interface RelayOptions {
  readonly db: Database;
  readonly log: Log;
  readonly publishers: Readonly<Record<Lane['kind'], Publisher>>;
  /** Pause after an empty poll, in milliseconds. */
  readonly pollMs: number;
  /** Called after each published batch with the number of messages and the age of the oldest, in milliseconds. */
  readonly onRelayed?: (kind: Lane['kind'], count: number, ageMs: number) => void;
}

const BATCH = 500;
const LANES_AT_ONCE = 4;
const LONGEST_PAUSE_MS = 5_000;

/** Exponential backoff per lane: a lane that failed is skipped for a while, the others continue. */
class LaneBackoff {
  readonly #until = new Map<string, { readonly at: number; readonly pause: number }>();

  isDue(lane: Lane, now: number): boolean {
    return (this.#until.get(`${lane.kind}:${lane.shard}`)?.at ?? 0) <= now;
  }

  failed(lane: Lane, now: number): void {
    const key = `${lane.kind}:${lane.shard}`;
    const pause = Math.min(LONGEST_PAUSE_MS, (this.#until.get(key)?.pause ?? 50) * 2);
    this.#until.set(key, { at: now + pause * (0.5 + Math.random() / 2), pause });
  }

  worked(lane: Lane): void {
    this.#until.delete(`${lane.kind}:${lane.shard}`);
  }
}

/** Publishes the outbox until it is stopped. Any number of relays share the work: one at a time per lane. */
export function startRelay(options: RelayOptions): { stop(): Promise<void> } {
  const { db, log, publishers, pollMs } = options;
  const stopping = new AbortController();
  const backoff = new LaneBackoff();

  async function relay(lane: Lane): Promise<number> {
    try {
      const publisher = publishers[lane.kind];
      const count = await relayLane(db, lane, {
        limit: BATCH,
        except: await publisher.saturated(),
        async publish(messages) {
          await publisher.publish(messages);
          const oldest = messages[0]?.created.getTime() ?? Date.now();
          options.onRelayed?.(lane.kind, messages.length, Date.now() - oldest);
        },
      });
      backoff.worked(lane);
      return count;
    } catch (error) {
      backoff.failed(lane, Date.now());
      log.warn({ err: error, lane }, 'messages stay in the outbox');
      return 0;
    }
  }

  /** Polls all lanes once. Returns the number of messages published. */
  async function sweep(): Promise<number> {
    const now = Date.now();
    const due = (await lanesWithMessages(db)).filter((lane) => backoff.isDue(lane, now));
    // Random order, so that concurrent relays do not wait for the same lanes.
    const lanes = due.sort(() => Math.random() - 0.5);
    let moved = 0;
    const loop = async () => {
      for (let lane = lanes.pop(); lane && !stopping.signal.aborted; lane = lanes.pop()) moved += await relay(lane);
    };
    await Promise.all(Array.from({ length: LANES_AT_ONCE }, loop));
    return moved;
  }

  async function run(): Promise<void> {
    for (let pause = pollMs; !stopping.signal.aborted; ) {
      try {
        pause = (await sweep()) > 0 ? 0 : pollMs;
      } catch (error) {
        pause = Math.min(LONGEST_PAUSE_MS, Math.max(pause, 50) * 2);
        log.warn({ err: error }, 'the outbox cannot be read');
      }
      if (pause > 0) await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
