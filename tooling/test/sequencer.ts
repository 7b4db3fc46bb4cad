import { readFileSync } from 'node:fs';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { balanced, slowestFirst } from './order.ts';

const seconds: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(new URL('durations.json', import.meta.url), 'utf8'),
);

/** Runs the slowest files first, so that none of them runs alone at the end; balances shards by duration. */
export default class ByDuration extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return slowestFirst(files, this.#seconds);
  }

  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index = 1, count = 1 } = this.ctx.config.shard ?? {};
    return balanced(files, count, this.#seconds)[index - 1] ?? [];
  }

  readonly #seconds = ({ moduleId }: TestSpecification): number =>
    seconds[moduleId.slice(this.ctx.config.root.length + 1)] ?? 1;
}
