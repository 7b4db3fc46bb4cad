import type { Knex } from 'knex';

/** One step of the schema. Steps run in the order of `index.ts`, forward only, on both dialects. */
export interface Migration {
  readonly name: string;
  up(db: Knex): Promise<void>;
}
