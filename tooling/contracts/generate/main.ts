import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileOf, outputs } from './outputs.ts';

for (const output of outputs) {
  const file = fileOf(output);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, output.text());
  process.stdout.write(`${output.path}\n`);
}
