import type { ConsumeOptions, DeadLetter, Log, ReceivedEvent } from '../src/index.ts';

/** Something that a test waits for, without a clock: resolves as soon as it is true. */
export class Watched<T> {
  readonly items: T[] = [];
  private readonly waiting = new Set<{ isTrue: (items: readonly T[]) => boolean; resolve: () => void }>();

  add(item: T): void {
    this.items.push(item);
    for (const waiter of this.waiting) {
      if (!waiter.isTrue(this.items)) continue;
      this.waiting.delete(waiter);
      waiter.resolve();
    }
  }

  async until(isTrue: (items: readonly T[]) => boolean): Promise<readonly T[]> {
    if (!isTrue(this.items)) await new Promise<void>((resolve) => this.waiting.add({ isTrue, resolve }));
    return this.items;
  }

  count(count: number): Promise<readonly T[]> {
    return this.until((items) => items.length >= count);
  }
}

export interface Collector extends Pick<ConsumeOptions, 'handle' | 'deadLetter'> {
  readonly events: Watched<ReceivedEvent>;
  readonly letters: Watched<DeadLetter>;
}

/** Takes everything that comes. */
export function collector(): Collector {
  const events = new Watched<ReceivedEvent>();
  const letters = new Watched<DeadLetter>();
  return {
    events,
    letters,
    handle: async (event) => events.add(event),
    deadLetter: async (letter) => letters.add(letter),
  };
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function watchedLog(): { log: Log; lines: Watched<LogLine> } {
  const lines = new Watched<LogLine>();
  const at =
    (level: LogLine['level']): Log['info'] =>
    (fields, message) =>
      lines.add({ level, message, fields });
  return { lines, log: { info: at('info'), warn: at('warn'), error: at('error') } };
}
