/** `npm run check:libraries`: licences, types and shields of dependencies; with `--online` also their releases. */
import { directDependencies } from './dependencies.ts';
import { held, old } from './exceptions.ts';
import { offlineFindings } from './offline.ts';
import { askNpm, type Comparison, compare, Offline } from './online.ts';

const print = (lines: readonly string[]): void => {
  for (const line of lines) process.stdout.write(`${line}\n`);
};

async function online(): Promise<Comparison> {
  try {
    return await compare(directDependencies(), askNpm, { now: new Date(), old, held });
  } catch (error) {
    if (!(error instanceof Offline)) throw error;
    print(['Releases were not compared: the package registry cannot be reached.']);
    return { findings: [], newer: [] };
  }
}

const findings = offlineFindings();
if (process.argv.includes('--online')) {
  const comparison = await online();
  findings.push(...comparison.findings);
  if (comparison.newer.length > 0) print(['Newer versions:', ...comparison.newer.map((line) => `  ${line}`)]);
}
if (findings.length > 0) {
  print(['Not allowed; repair it or give a reason in tooling/checks/libraries/exceptions.ts:']);
  print(findings.map((line) => `  ${line}`));
  process.exitCode = 1;
} else {
  print(['Nothing is wrong with the libraries.']);
}
