import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { redocly } from './redocly.ts';

/** One change in Redocly's diff. */
const change = z.object({
  path: z.string(),
  kind: z.enum(['added', 'removed', 'modified']),
  typeName: z.string(),
  property: z.string().optional(),
  verdicts: z.array(z.object({ impact: z.string(), message: z.string() })),
  base: z.object({ value: z.unknown() }).partial().optional(),
  revision: z.object({ value: z.unknown() }).partial().optional(),
});
type Change = z.infer<typeof change>;
const report = z.object({ changes: z.array(change) });

const parameter = z.looseObject({ schema: z.looseObject({}).optional() });
const operation = z.looseObject({ parameters: z.array(parameter).optional() });
const document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), operation)) });

/** Removes descriptions and examples, because Redocly matches parameters by content. */
function withoutProse({ description: _said, example: _shown, schema, ...others }: z.infer<typeof parameter>) {
  const { description: _again, ...rest } = schema ?? {};
  return schema === undefined ? others : { ...others, schema: rest };
}

/**
 * Removes parts that do not matter to callers, such as trailing slashes of paths, because the server accepts both
 * forms.
 */
function essence(text: string): string {
  const parsed = document.parse(JSON.parse(text));
  const paths = Object.entries(parsed.paths).map(([path, item]) => {
    const operations = Object.entries(item).map(([method, each]) => [
      method,
      each.parameters === undefined ? each : { ...each, parameters: each.parameters.map(withoutProse) },
    ]);
    return [path.replace(/\/$/, ''), Object.fromEntries(operations)];
  });
  return JSON.stringify({ ...parsed, paths: Object.fromEntries(paths) });
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

/** Description of the place of a change: `GET /api/v1/jobs/{uuid}, reply 200`, or `Policy` for a named schema. */
export function placeOf(pointer: string): string {
  const [section, first = '', method = '', part = '', status = ''] = pointer.slice(2).split('/').map(unescaped);
  if (section !== 'paths') return method;
  const operation = method === '' ? first : `${method.toUpperCase()} ${first}`;
  if (part === 'responses' && status !== '') return `${operation}, reply ${status}`;
  return part === 'requestBody' ? `${operation}, request` : operation;
}

const NAMED_SCHEMA = /^#\/components\/schemas\/[^/]+$/;
const isField = ({ path }: Change): boolean => /\/properties\/[^/]+$/.test(path);
const isOfRequest = ({ path }: Change): boolean => /\/(requestBody|parameters)\//.test(path);
const isOfReply = ({ path }: Change): boolean => path.includes('/responses/');
const isRenamed = ({ kind, property }: Change): boolean => kind === 'modified' && property === 'key';
const nameOf = ({ path }: Change): string => unescaped(path.split('/').at(-1) ?? '');

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
/** Items of the first list that are missing in the second. */
const lost = (from: Change['base'], to: Change['base']): string[] => {
  const kept = listOf(to?.value);
  return listOf(from?.value).flatMap((each) => (kept.includes(each) ? [] : [`\`${String(each)}\``]));
};

/**
 * Breaking changes that Redocly does not detect: changes inside unions, removed request fields, error codes, type
 * names.
 */
const ownRules: readonly ((change: Change) => string | false)[] = [
  // The server may reject a removed field, or ignore it although callers rely on it.
  (each) => each.kind === 'removed' && isField(each) && `Field \`${nameOf(each)}\` was removed.`,
  (each) => isRenamed(each) && isField(each) && `Field \`${String(each.base?.value)}\` is now \`${nameOf(each)}\`.`,
  (each) => {
    if (each.property !== 'required' || !isField({ ...each, path: `${each.path}/properties/x` })) return false;
    const gone = isOfReply(each) ? lost(each.base, each.revision) : [];
    const asked = isOfRequest(each) ? lost(each.revision, each.base) : [];
    if (gone.length > 0) return `Fields may be missing: ${gone.join(', ')}.`;
    return asked.length > 0 && `Fields are required: ${asked.join(', ')}.`;
  },
  (each) => {
    if (each.property !== 'enum' && each.property !== 'type') return false;
    const added = isOfReply(each) ? lost(each.revision, each.base) : [];
    const removed = isOfRequest(each) ? lost(each.base, each.revision) : [];
    if (added.length > 0) return `\`${nameOf(each)}\` can also be ${added.join(', ')}.`;
    return removed.length > 0 && `\`${nameOf(each)}\` can no longer be ${removed.join(', ')}.`;
  },
  (each) =>
    each.kind === 'added' && isOfReply(each) && /\/(anyOf|oneOf)(\/\d+)?$/.test(each.path) && 'There is one more form.',
  (each) =>
    (each.kind === 'removed' || isRenamed(each)) &&
    /\/responses\/[^/]+\/content\/[^/]+\/examples\/[^/]+$/.test(each.path) &&
    `The failure \`${isRenamed(each) ? String(each.base?.value) : nameOf(each)}\` is no longer declared.`,
  // Code that uses a generated client refers to type names.
  (each) =>
    (each.kind === 'removed' || isRenamed(each)) && NAMED_SCHEMA.test(each.path) && 'The schema is gone or renamed.',
];

/** Why a change breaks callers; empty if it does not. */
function reasonsOf(each: Change): readonly string[] {
  const found = each.verdicts.flatMap(({ impact, message }) => (impact === 'major' ? [message] : []));
  if (found.length > 0) return found;
  return ownRules.flatMap((rule) => rule(each) || []).slice(0, 1);
}

/** Breaking changes between two OpenAPI documents, one line each. */
export async function breaksBetween(base: string, revision: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-breaking-'));
  try {
    const [before, after] = [join(folder, 'base.json'), join(folder, 'revision.json')];
    await writeFile(before, essence(base));
    await writeFile(after, essence(revision));
    const { changes } = report.parse(await redocly(folder, ['diff', before, after]));
    const lines = changes.flatMap((each) => reasonsOf(each).map((reason) => `${placeOf(each.path)}: ${reason}`));
    return [...new Set(lines)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
