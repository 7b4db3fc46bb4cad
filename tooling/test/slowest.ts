import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 10;
/** Faster files do not matter for the order. */
const RECORDED_SECONDS = 3;

const secondsOf = (module: TestModule): number => {
  const { collectDuration, prepareDuration, duration } = module.diagnostic();
  return (collectDuration + prepareDuration + duration) / 1_000;
};

/**
 * Prints the slowest test files at the end of a run, in seconds. With `RECORD_DURATIONS=true` it saves the durations
 * for the order of later runs.
 */
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const slowest = modules.toSorted((a, b) => secondsOf(b) - secondsOf(a));
    const lines = slowest.map((module) => `${secondsOf(module).toFixed(1).padStart(7)} s  ${module.relativeModuleId}`);
    process.stdout.write(`slowest files\n${lines.slice(0, SHOWN).join('\n')}\n`);
    if (process.env.RECORD_DURATIONS === 'true') record(slowest);
  }
}

function record(modules: readonly TestModule[]): void {
  const slow = modules.filter((module) => secondsOf(module) >= RECORDED_SECONDS);
  const seconds = slow.map((module): [string, number] => [module.relativeModuleId, Math.round(secondsOf(module))]);
  const text = JSON.stringify(Object.fromEntries(seconds), null, 2);
  writeFileSync(new URL('durations.json', import.meta.url), `${text}\n`);
}
