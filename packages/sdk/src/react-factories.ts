import type { DataTag, InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import type { Table } from './client.ts';
import type { EnterpriseAccessError } from './errors.ts';
import type { CallOptions } from './options.ts';

/** Keys of a router, or of everything. */
export interface RouterKeys {
  /** The beginning of the keys of all its queries. */
  key(): QueryKey;
  /** Has all its queries asked again: those in use now, the others when they are used. */
  invalidate(client: Pick<QueryClient, 'invalidateQueries'>): Promise<void>;
}

/** Options for `useQuery`, `fetchQuery`, `prefetchQuery` and their relatives. */
export interface QueryOptions<T> {
  /** Router, operation and input; it knows the type of its data. */
  readonly queryKey: DataTag<QueryKey, T, EnterpriseAccessError>;
  /** Makes the call; leaving the page ends it. */
  readonly queryFn: (context: { readonly signal: AbortSignal }) => Promise<T>;
  /** The client retries calls itself. */
  readonly retry: false;
}

/** Options for `useInfiniteQuery` and its relatives. */
export interface InfiniteOptions<P, C> {
  /** Router, operation and input; it knows the type of its data. */
  readonly queryKey: DataTag<QueryKey, InfiniteData<P, C>, EnterpriseAccessError>;
  /** Asks for one page; leaving the page ends it. */
  readonly queryFn: (context: { readonly signal: AbortSignal; readonly pageParam: C }) => Promise<P>;
  /** Where the list begins. */
  readonly initialPageParam: C;
  /** Where it goes on; undefined at the end. */
  readonly getNextPageParam: (last: P) => C | undefined;
  /** The client retries calls itself. */
  readonly retry: false;
}

/** Options for `useMutation` and its relatives. */
export interface MutationOptionsOf<I, T> {
  /** Router and operation. */
  readonly mutationKey: QueryKey;
  /** Makes the call under a key of its own, so that repeats of it happen once. */
  readonly mutationFn: (input: I) => Promise<T>;
  /** The client retries calls itself; a retry from outside would use another idempotency key. */
  readonly retry: false;
}

/** What a query gives. */
export interface QueryFactory<I, T> {
  /** Options for one input. */
  queryOptions(input: I): QueryOptions<T>;
  /** The beginning of its keys, or the key of one input. */
  key(input?: I): QueryKey;
  /** Has it asked again, for all inputs or for one. */
  invalidate(client: Pick<QueryClient, 'invalidateQueries'>, input?: I): Promise<void>;
}

/** What a list gives: options for one page, and for all of them one after the other. */
export interface ListFactory<I, P, C> extends QueryFactory<I, P> {
  /** Options for all pages. */
  infiniteOptions(input: I): InfiniteOptions<P, C>;
}

/** What a mutation gives. */
export interface MutationFactory<I, T> {
  /** Options for any input. */
  mutationOptions(): MutationOptionsOf<I, T>;
}

type Input = Readonly<Record<string, unknown>> | undefined;
type Methods = Readonly<Record<string, (input: Input, options?: CallOptions) => Promise<unknown>>>;
type Invalidating = Pick<QueryClient, 'invalidateQueries'>;
type Cursor = { readonly nextCursor: string | null };
type Numbered = { readonly page: number; readonly numPages: number };

/** First part of every key: the application has keys of its own. */
const ROOT = 'enterprise-access';

const keys = (...path: unknown[]) => {
  const key = (input?: unknown): QueryKey => (input === undefined ? path : [...path, input]);
  const invalidate = (client: Invalidating, input?: unknown) => client.invalidateQueries({ queryKey: key(input) });
  return { key, invalidate };
};

function queryFactory(router: string, name: string, methods: Methods) {
  const own = keys(ROOT, router, name);
  const queryOptions = (input: Input) => ({
    queryKey: own.key(input ?? {}),
    queryFn: ({ signal }: { signal: AbortSignal }) => methods[name]?.(input, { signal }),
    retry: false,
  });
  return { ...own, queryOptions };
}

function listFactory(router: string, name: string, methods: Methods, isNumbered: boolean) {
  const query = queryFactory(router, name, methods);
  const pageOf = (pageParam: unknown) => {
    if (isNumbered) return { page: pageParam };
    return pageParam === null ? {} : { cursor: pageParam };
  };
  const infiniteOptions = (input: Input) => ({
    // One page and all pages are different data, and would overwrite each other under one key.
    queryKey: [...query.key(input ?? {}), 'infinite'],
    queryFn: ({ signal, pageParam }: { signal: AbortSignal; pageParam: unknown }) =>
      methods[name]?.({ ...input, ...pageOf(pageParam) }, { signal }),
    initialPageParam: isNumbered ? 1 : null,
    getNextPageParam: isNumbered
      ? ({ page, numPages }: Numbered) => (page < numPages ? page + 1 : undefined)
      : ({ nextCursor }: Cursor) => nextCursor ?? undefined,
    retry: false,
  });
  return { ...query, infiniteOptions };
}

const mutationFactory = (router: string, name: string, methods: Methods) => ({
  mutationOptions: () => ({
    mutationKey: [ROOT, router, name],
    mutationFn: (input: Input) => methods[name]?.(input),
    retry: false,
  }),
});

/** Makes what the generated types describe. */
export function factories<A>(access: object, tables: Readonly<Record<string, Table>>): A {
  const routers = Object.entries(tables).map(([router, table]) => {
    const methods = (access as Record<string, Methods>)[router] ?? {};
    const own = Object.entries(table).map(([name, kind]) => {
      if (kind === 'mutation') return [name, mutationFactory(router, name, methods)];
      if (kind === 'query') return [name, queryFactory(router, name, methods)];
      return [name, listFactory(router, name, methods, kind === 'numbered')];
    });
    return [router, { ...keys(ROOT, router), ...Object.fromEntries(own) }];
  });
  return { ...keys(ROOT), ...Object.fromEntries(routers) } as A;
}
