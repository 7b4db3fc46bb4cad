import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Slice, slices } from './index.ts';
import { kernelTables } from './kernel/compose.ts';
import { service } from './service.ts';

const SOURCES = import.meta.dirname;

/** Slices that may read, and never write, tables of others, and why. */
const READS_ACROSS: Readonly<Record<string, string>> = {
  books:
    'The audit counts the books of all slices against each other; each of them asked alone could not see a difference.',
};

const NAME = '["`]?([a-z_]+)["`]?';
/** How statements name tables: knex, joins and the like, helpers that take a table, and SQL that is written out. */
const USES = [
  /\b(?:db|trx|connection|from|join|leftJoin|rightJoin|innerJoin|into|table)(?:<[^>()]*>)?\(\s*['"`]([a-z_]+)(?: as \w+)?['"`]/g,
  /\b(?:insertIfAbsent|insertAbsent|addToCounters|underLease)\(\s*\w+,\s*['"`]([a-z_]+)['"`]/g,
  /\b\w*TABLE\w*\s*=\s*['"`]([a-z_]+)['"`]/g,
  new RegExp(`\\b(?:from|join|into|update|delete from)\\s+${NAME}`, 'g'),
];
const WRITES = new RegExp(`\\b(?:insert into|update|delete from)\\s+${NAME}|\\.(?:insert|update|delete)\\(`);

const withoutComments = (source: string): string => source.replace(/\/\*[\s\S]*?\*\/|(?<![:'"])\/\/.*$/gm, '');

/** Tables that a source names, of those that there are. */
function tablesIn(source: string, known: ReadonlySet<string>): string[] {
  const text = withoutComments(source);
  const named = USES.flatMap((use) => [...text.matchAll(use)].map(([, table = '']) => table));
  return [...new Set(named)].filter((table) => known.has(table));
}

const sourcesOf = (folder: string): string[] =>
  readdirSync(join(SOURCES, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/(\.test|testing)\.ts$/.test(file))
    .map((file) => join(folder, file));

const ownTables = ({ tables = [] }: Slice): string[] => tables.map(({ table }) => table);

const known = new Set(service.tables.keys());
const all: readonly Slice[] = slices;
const owners = [
  { name: 'kernel', own: new Set(kernelTables.map(({ table }) => table)) },
  { name: 'upstreams', own: new Set<string>() },
  ...all.map((slice) => ({ name: slice.name, own: new Set(ownTables(slice)) })),
];

test('every folder is looked at', () => {
  const folders = readdirSync(SOURCES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(owners.map(({ name }) => name).toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
});

test.each(owners)('$name uses its own tables only', ({ name, own }) => {
  const foreign = sourcesOf(name).flatMap((file) => {
    const source = readFileSync(join(SOURCES, file), 'utf8');
    const tables = tablesIn(source, known).filter((table) => !own.has(table));
    if (tables.length === 0 || (name in READS_ACROSS && !WRITES.test(withoutComments(source)))) return [];
    return [`${file}: ${tables.join(', ')}`];
  });
  expect(foreign).toEqual([]);
});

test.each(all.map(({ name }) => name))('%s keeps its models to itself', async (name) => {
  const models = new Set<unknown>(service.tables.values());
  const index = sourcesOf(name).includes(join(name, 'index.ts')) ? await import(`./${name}/index.ts`) : {};
  const exported = Object.entries(index).filter(([, value]) => models.has(value));
  expect(exported.map(([what]) => what)).toEqual([]);
});

test('tables are found in every way in which statements name them', () => {
  const tables = new Set(['books', 'pages']);
  const uses = [
    "db('books')",
    "trx<Row>('books as b')",
    "db('x').leftJoin('books as b', 'b.uuid', 'x.uuid')",
    "insertIfAbsent(trx, 'books', row)",
    "const TABLE = 'books';",
    'raw(`select * from books b`)',
    'raw(`update "books" set x = 1`)',
    'raw("insert into `books` (a) values (1)")',
  ];
  for (const use of uses) expect(tablesIn(use, tables), use).toEqual(['books']);
  expect(tablesIn("// from books\nname: 'books'", tables)).toEqual([]);
});
