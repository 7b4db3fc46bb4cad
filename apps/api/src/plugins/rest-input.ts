import {
  FROM_BODY,
  LAST_PAGE,
  type Operation,
  pythonType,
  queryDecoder,
  snakeCase,
  unwrapInput,
  wireCodec,
} from '@enterprise-access/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

export type Unsafe = Record<string, unknown>;

/** The input of a request, not yet validated. */
export interface ReadInput {
  readonly input: Unsafe;
  /** Why the body is invalid for any contract. Reported after the permission check, like all validation errors. */
  readonly problem: string | null;
  /** The query asks for the last page (`page=last`). */
  readonly isLastPage: boolean;
}

type Query = Readonly<Record<string, string | string[]>>;

interface QueryField {
  readonly name: string;
  readonly isOptional: boolean;
  readonly isFlag: boolean;
  readonly isList: boolean;
  readonly decode: (text: string | readonly string[]) => unknown;
}

const PLACEHOLDER = /\{(\w+)\}/g;

const typeOf = (field: z.ZodType): string => unwrapInput(field)._zod.def.type;

function queryField(name: string, field: z.ZodType): QueryField {
  return {
    name,
    isOptional: field.safeParse(undefined).success,
    isFlag: typeOf(field) === 'boolean',
    isList: typeOf(field) === 'array',
    decode: queryDecoder(unwrapInput(field)),
  };
}

/** Whether a text is a valid page number. Any other text is answered like a page beyond the end. */
const isPage = (text: string): boolean => /^\s*\+?\d+\s*$/.test(text) && Number(text) >= 1 && Number(text) <= LAST_PAGE;
const isSize = (text: string): boolean => /^\s*\+?\d{1,9}\s*$/.test(text) && Number(text) >= 1;

/** Parses page and size like the old services: an invalid size is ignored. */
function readPage(input: Unsafe, query: Query): boolean {
  const [page = '', size = ''] = [query.page ?? '', query.page_size ?? ''].map((text) => [text].flat().at(-1));
  const isLast = page === 'last';
  if (page !== '' && !isLast) input.page = isPage(page) ? Number(page) : LAST_PAGE;
  if (isSize(size)) input.pageSize = Number(size);
  return isLast;
}

/** Maps a request to the contract's input without validating it; the call does that after the permission check. */
export function inputReader({ contract, legacy }: Operation): (request: FastifyRequest) => ReadInput {
  const { path, method } = contract.rest;
  const inPath = [...path.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
  const shape = contract.input.shape as Record<string, z.ZodType>;
  const isPaged = method === 'GET' && shape.pageSize !== undefined;
  const isStrict = contract.input._zod.def.catchall instanceof z.ZodNever;
  const hasBody = Object.keys(shape).length > inPath.length;
  const query = new Map(
    Object.entries(shape)
      .filter(([name]) => !inPath.includes(name) && !(isPaged && (name === 'page' || name === 'pageSize')))
      .map(([name, field]) => [snakeCase(name), queryField(name, field)]),
  );
  const pathFields = inPath.map((name) => {
    const field = shape[name];
    return { name, decode: field ? queryDecoder(unwrapInput(field)) : (text: string) => text };
  });
  const oldNames = Object.entries(legacy.query ?? {}).map(([name, { field, isList = false }]) => {
    const schema = shape[field];
    return { name, field, isList, decode: queryDecoder(unwrapInput(schema ?? contract.input)) };
  });
  const isTrueOnly = new Set(legacy.onlyTrueIsTrue);
  const body = wireCodec(contract.input);

  /**
   * Reads query parameters by their old names. Empty values are ignored; several parameters for one field are
   * combined.
   */
  const addOldNames = (input: Unsafe, given: Query): void => {
    const said = new Map<string, unknown>();
    for (const { name, field, isList, decode } of oldNames) {
      if (given[name] === undefined) continue;
      delete input[field];
      const texts = [given[name]].flat();
      const values = (isList ? texts.flatMap((text) => text.split(',')) : texts.slice(-1)).filter(
        (text) => text !== '',
      );
      if (values.length === 0) continue;
      const [known, value] = [said.get(field), decode(values)];
      const both = Array.isArray(known) && Array.isArray(value) ? known.filter((each) => value.includes(each)) : value;
      said.set(field, both);
    }
    Object.assign(input, Object.fromEntries(said));
  };
  /** Reads query parameters. Empty filters are ignored, and so are flags that are neither true nor false. */
  const addQuery = (input: Unsafe, given: Query): void => {
    for (const [name, text] of Object.entries(given)) {
      const field = query.get(name);
      if (!field) continue;
      const texts = [text].flat();
      const said = field.isList ? texts.filter((each) => each !== '') : texts.slice(-1);
      if (field.isOptional && (said.length === 0 || said[0] === '')) continue;
      if (isTrueOnly.has(field.name)) {
        input[field.name] = said[0]?.toLowerCase() === 'true';
        continue;
      }
      const value = field.decode(said.length === 0 ? texts : said);
      if (isPaged && field.isFlag && field.isOptional && typeof value !== 'boolean') continue;
      input[field.name] = value;
    }
  };
  // Path parameters take precedence over query and body.
  const addPath = <T extends object>(input: T, params: Record<string, string>): T => {
    for (const { name, decode } of pathFields) (input as Unsafe)[name] = decode(params[name] ?? '');
    return input;
  };
  const refused = (params: Record<string, string>, problem: string): ReadInput => ({
    // A list stays a list, which every contract rejects.
    input: addPath([], params) as unknown as Unsafe,
    problem,
    isLastPage: false,
  });

  return (request) => {
    const params = request.params as Record<string, string>;
    const given = request.query as Query;
    const input: Unsafe = {};
    if (method === 'GET') {
      addQuery(input, given);
      addOldNames(input, given);
      const isLastPage = isPaged && readPage(input, given);
      return { input: addPath(input, params), problem: null, isLastPage };
    }
    addOldNames(input, given);
    if (request.body === undefined || (request.body === null && !hasBody))
      return { input: addPath(input, params), problem: null, isLastPage: false };
    if (request.body === null) return refused(params, 'No data provided');
    const decoded = body.decode(request.body);
    if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded))
      return refused(params, `Invalid data. Expected a dictionary, but got ${pythonType(decoded)}.`);
    const whole = Object.assign(decoded as Unsafe, input);
    if (isStrict) for (const name of inPath) if (Object.hasOwn(whole, name)) whole[`${FROM_BODY}${name}`] = true;
    return { input: addPath(whole, params), problem: null, isLastPage: false };
  };
}
