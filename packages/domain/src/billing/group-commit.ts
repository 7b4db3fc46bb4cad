/** Largest number of items of one transaction. */
const MAXIMUM = 50;

/** An item that waits, and its caller. */
interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes items in shared transactions: the first begins one at once, and those that arrive while it runs share the next.
 * A caller waits until the item is committed. If a transaction fails, each of its items is tried alone.
 */
export function groupCommit<T, R>(commit: (items: readonly T[]) => Promise<readonly R[]>): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let isRunning = false;

  const settle = async (group: readonly Waiting<T, R>[]): Promise<void> => {
    try {
      const results = await commit(group.map(({ item }) => item));
      for (const [at, { resolve }] of group.entries()) resolve(results[at] as R);
    } catch (error) {
      if (group.length === 1) return group[0]?.reject(error);
      await Promise.all(group.map((one) => settle([one])));
    }
  };

  const run = async (): Promise<void> => {
    isRunning = true;
    while (waiting.length > 0) await settle(waiting.splice(0, MAXIMUM));
    isRunning = false;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!isRunning) void run();
    });
}
