import { ApiPromise } from './call.ts';
import type { Reply } from './send.ts';

/** One page of a list. */
export interface Page<T> {
  /** Items of this page, in the order of the list. */
  readonly items: T[];
  /** Pass it as `cursor` to get the next page; null at the end. */
  readonly nextCursor: string | null;
  /** Number of items on all pages. */
  readonly count: number;
  /** Number of this page, from 1. */
  readonly page: number;
  /** Largest number of items in this page. */
  readonly pageSize: number;
}

/** Common part of all pages. */
export interface ItemsOf<T> {
  /** Items of this page, in the order of the list. */
  readonly items: T[];
}

/** A requested list: `await` returns its first page, `for await` iterates over the items of all pages. */
export class List<T, P extends ItemsOf<T> = Page<T>> extends ApiPromise<P> implements AsyncIterable<T> {
  readonly #next: (page: P) => List<T, P> | null;

  constructor(reply: Promise<Reply<P>>, next: (page: P) => List<T, P> | null) {
    super(reply);
    this.#next = next;
  }

  /** Iterates over pages; each is requested when the previous one was consumed. */
  async *pages(): AsyncGenerator<P, void, undefined> {
    for (let list: List<T, P> | null = this; list; ) {
      const page: P = await list;
      yield page;
      list = list.#next(page);
    }
  }

  /** The items of all pages. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.items;
  }

  /** Collects up to `limit` items. */
  async toArray({ limit }: { readonly limit: number }): Promise<T[]> {
    const items: T[] = [];
    for await (const item of this) {
      if (items.length >= limit || items.push(item) >= limit) break;
    }
    return items;
  }
}
