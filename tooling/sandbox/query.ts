import type { FastifyRequest } from 'fastify';

/** A request's query string: every parameter may repeat. */
export interface Query {
  one(name: string): string | undefined;
  all(name: string): readonly string[];
  flag(name: string): boolean;
  /** Content keys hold no spaces, and callers send their `+` unencoded: a space is such a `+`. */
  contentKeys(name: string): readonly string[];
}

export function queryOf(request: FastifyRequest): Query {
  const raw = request.query as Readonly<Record<string, string | readonly string[] | undefined>>;
  const all = (name: string): readonly string[] => {
    const value = raw[name];
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : value;
  };
  // Django's QueryDict.get answers the last of several values.
  const one = (name: string): string | undefined => all(name).at(-1);
  return {
    one,
    all,
    flag: (name) => one(name)?.toLowerCase() === 'true',
    contentKeys: (name) => all(name).map((key) => key.replaceAll(' ', '+')),
  };
}
