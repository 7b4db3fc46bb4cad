import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 10;

/** Says at the end of a run which files took longest, in seconds: where an hour of work on test time is well spent. */
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const seconds = (module: TestModule): number => {
      const { collectDuration, prepareDuration, duration } = module.diagnostic();
      return (collectDuration + prepareDuration + duration) / 1_000;
    };
    const slowest = modules.toSorted((a, b) => seconds(b) - seconds(a)).slice(0, SHOWN);
    const lines = slowest.map((module) => `${seconds(module).toFixed(1).padStart(7)} s  ${module.relativeModuleId}`);
    process.stdout.write(`slowest files\n${lines.join('\n')}\n`);
  }
}
