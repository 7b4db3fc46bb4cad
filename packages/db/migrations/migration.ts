import type { Knex } from 'knex';
import type { Schema } from '../src/columns.ts';

/** One statement, or several that knex derives from one definition. Built, not run: the runner runs them. */
export type Step = Knex.SchemaBuilder | Knex.QueryBuilder | Knex.Raw;

/**
 * One step of the schema. Steps run in the order of `index.ts`, forward only, on both dialects.
 *
 * MySQL commits each statement that changes the schema by itself, so a run that dies leaves the first statements of a
 * migration done. The next run repeats the migration from its first statement, and takes "is there already" as done. So
 * the same statements must come in the same order each time, and one that changes rows must do no harm when repeated.
 */
export interface Migration {
  readonly name: string;
  up(schema: Schema): readonly Step[] | Promise<readonly Step[]>;
}
