import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../..', import.meta.url).pathname;

/** Reserved words of MySQL 8.4: none may be a name in a statement that is written out. */
const RESERVED = new Set(
  `
accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call cascade
case change char character check collate column condition constraint continue convert create cross cube
cume_dist current_date current_time current_timestamp current_user cursor database databases day_hour
day_microsecond day_minute day_second dec decimal declare default delayed delete dense_rank desc describe
deterministic distinct distinctrow div double drop dual each else elseif empty enclosed escaped except exists
exit explain false fetch first_value float float4 float8 for force foreign from fulltext function generated get
grant group grouping groups having high_priority hour_microsecond hour_minute hour_second if ignore in index
infile inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect interval into
io_after_gtids io_before_gtids is iterate join json_table key keys kill lag last_value lateral lead leading
leave left like limit linear lines load localtime localtimestamp lock long longblob longtext loop low_priority
manual match maxvalue mediumblob mediumint mediumtext middleint minute_microsecond minute_second mod modifies
natural not no_write_to_binlog nth_value ntile null numeric of on optimize optimizer_costs option optionally or
order out outer outfile over parallel partition percent_rank precision primary procedure purge qualify range
rank read reads read_write real recursive references regexp release rename repeat replace require resignal
restrict return revoke right rlike row rows row_number schema schemas second_microsecond select sensitive
separator set show signal smallint spatial specific sql sqlexception sqlstate sqlwarning sql_big_result
sql_calc_found_rows sql_small_result ssl starting stored straight_join system table tablesample terminated then
tinyblob tinyint tinytext to trailing trigger true undo union unique unlock unsigned update usage use using
utc_date utc_time utc_timestamp values varbinary varchar varcharacter varying virtual when where while window
with write xor year_month zerofill
`
    .trim()
    .split(/\s+/),
);

/** Those that our statements use for what they mean. Another one in a statement is a name, or belongs here. */
const USED_AS_WORDS = new Set(
  'add all alter and as asc between by case character collate column constraint create cross database default delete desc distinct drop else exists false foreign from generated group having if in index insert int into interval is join key kill left like limit not null on or order over partition primary references row_number select set smallint stored table then true union unique update use using values varchar when where with for'.split(
    ' ',
  ),
);

const isSql = (text: string): boolean =>
  /\b(?:select|insert into|update|delete from|alter table|create|coalesce|sum|count|case when|is null|is not null|exists)\b/.test(
    text,
  ) &&
  // Sentences for callers have articles; statements have none.
  !/\b(?:the|an|this)\b/i.test(text) &&
  /[(=]|\bfrom\b|\bis\b/.test(text);

/** Texts of a program that hold SQL, without what is put into them. */
const statementsIn = (source: string): string[] =>
  (
    source
      .replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
      .match(/`(?:[^`\\]|\\.)*`|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g) ?? []
  )
    .map((text) => text.slice(1, -1).replace(/\$\{[^}]*\}/g, ' ? '))
    .filter(isSql);

/** Reserved words that stand where a name stands. */
function namesThatAreReserved(sql: string): string[] {
  const bare = sql
    .replace(/'[^']*'|\?\?/g, ' ')
    .replace(/\bcast\(.*? as \w+\)/g, ' ')
    .toLowerCase();
  const aliases = [...bare.matchAll(/\bas\s+"?(\w+)/g)].map(([, name = '']) => name);
  const words = [...bare.matchAll(/(?<![.\w"])[a-z_]\w*/g)].map(([word]) => word);
  return [
    ...aliases.filter((name) => RESERVED.has(name)),
    ...words.filter((word) => RESERVED.has(word) && !USED_AS_WORDS.has(word)),
  ];
}

test('no raw statement uses a reserved word of MySQL 8.4 as a name', () => {
  const files = globSync(['packages/*/{src,migrations}/**/*.ts', 'apps/*/src/**/*.ts'], {
    cwd: ROOT,
    exclude: ['**/*.test.ts'],
  });
  const statements = files.flatMap((file) =>
    statementsIn(readFileSync(`${ROOT}/${file}`, 'utf8')).map((sql) => ({ file, sql })),
  );
  expect(statements.length).toBeGreaterThan(30);
  const wrong = statements.flatMap(({ file, sql }) => namesThatAreReserved(sql).map((name) => `${file}: ${name}`));
  expect(wrong).toEqual([]);
});

test.each([
  ['select p.spent_cents as stored from policies p', ['stored']],
  ['select count(*) as rank from t', ['rank', 'rank']],
  ['select system from t where groups = 1', ['system', 'groups']],
  ['select t.rank, cast(a as char) as n, lower(b) from t where c is null', []],
  ['alter table ?? add column ?? int generated always as (a) stored', []],
])('%s', (sql, names) => {
  expect(namesThatAreReserved(sql)).toEqual(names);
});
