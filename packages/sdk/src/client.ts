import { batcher } from './batch.ts';
import { ApiPromise } from './call.ts';
import type { ErrorClass } from './errors.ts';
import { type CallOptions, type ClientOptions, type MutationOptions, type Settings, settingsOf } from './options.ts';
import { type ItemsOf, List } from './page.ts';
import { perform, type Send } from './perform.ts';
import { type Reply, send } from './send.ts';
import { Subscription } from './stream.ts';

/**
 * Kind of an operation: `list` is a query with cursor pages, `numbered` a query with page numbers, `stream` a
 * subscription.
 */
export type Kind = 'query' | 'mutation' | 'list' | 'numbered' | 'stream';

/** The operations of a router by name. */
export type Table = Readonly<Record<string, Kind>>;

type Input = Readonly<Record<string, unknown>>;
type Cursor = ItemsOf<unknown> & { readonly nextCursor: string | null };
type Numbered = ItemsOf<unknown> & { readonly page: number; readonly numPages: number };

/** Base of the generated client; interprets the table of operations. */
export abstract class Client {
  readonly #settings: Settings;
  readonly #send: Send;

  protected constructor(options: ClientOptions, errors: Readonly<Record<string, ErrorClass>>) {
    this.#settings = settingsOf(options, errors);
    const together = options.batch ? batcher(this.#settings) : null;
    this.#send = together ? (settings, call) => (call.isQuery ? together(call) : send(settings, call)) : send;
  }

  /** Builds the methods of a router from its table. */
  protected router<R extends object>(name: string, table: Table): R {
    const methods = Object.entries(table).map(([method, kind]) => [method, this.#method(`${name}.${method}`, kind)]);
    return Object.fromEntries(methods) as R;
  }

  #method(operation: string, kind: Kind) {
    const call = (input: Input = {}, options: MutationOptions = {}) =>
      perform(this.#settings, this.#send, operation, kind !== 'mutation', input, options);
    switch (kind) {
      case 'list': {
        const list = (input: Input = {}, options?: CallOptions): List<unknown, Cursor> =>
          new List(call(input, options) as Promise<Reply<Cursor>>, ({ nextCursor: cursor }) => {
            if (cursor === null) return null;
            const { page: _first, ...rest } = input;
            return list({ ...rest, cursor }, options);
          });
        return list;
      }
      case 'numbered': {
        const list = (input: Input = {}, options?: CallOptions): List<unknown, Numbered> => {
          const first = input.traversePagination === true ? input : { ...input, page: input.page ?? 1 };
          return new List(call(first, options) as Promise<Reply<Numbered>>, ({ page, numPages }) =>
            page < numPages ? list({ ...input, page: page + 1 }, options) : null,
          );
        };
        return list;
      }
      case 'stream':
        return (input: Input = {}, options: CallOptions = {}) =>
          new Subscription(this.#settings, operation, input, options);
      default:
        return (input?: Input, options?: MutationOptions) => new ApiPromise(call(input, options));
    }
  }

  /** Options of this client with changes, for `withOptions` of the generated class. */
  protected changed(changes: Partial<ClientOptions>): ClientOptions {
    const { errors: _ours, ...options } = this.#settings;
    return { ...options, ...changes };
  }
}
