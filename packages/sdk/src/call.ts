import type { Reply } from './send.ts';

/** A call that has been sent: `await` gives its answer. */
export class ApiPromise<T> implements Promise<T> {
  /** As of every promise. */
  readonly [Symbol.toStringTag]: string = 'ApiPromise';
  readonly #reply: Promise<Reply<T>>;

  constructor(reply: Promise<Reply<T>>) {
    this.#reply = reply;
  }

  /** The answer with status, headers and request id of the reply. */
  withResponse(): Promise<Reply<T>> {
    return this.#reply;
  }

  /** As of every promise. */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise.
  then<A = T, B = never>(
    onAnswer?: ((answer: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#reply.then(({ data }) => data).then(onAnswer, onError);
  }

  /** As of every promise. */
  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onError);
  }

  /** As of every promise. */
  finally(onEnd?: (() => void) | null): Promise<T> {
    return this.then().finally(onEnd);
  }
}
