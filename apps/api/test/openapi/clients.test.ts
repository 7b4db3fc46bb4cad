import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientTools } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { makeToken } from '@enterprise-access/start/token';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { demonstration, run, SECRET, startApp } from '../support/harness.ts';

const services = inject('services');
const PAGE = fileURLToPath(new URL('../../../../docs/clients.md', import.meta.url));
const TIMEOUT_MS = 180_000;

/** The first piece of code in a language after a heading of the page. */
async function code(heading: string, language: string): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const start = page.indexOf(`### ${heading}\n`);
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(page.slice(start));
  if (start < 0 || !found?.[1]) throw new Error(`docs/clients.md has no ${language} after "${heading}".`);
  return found[1];
}

let world: World;
let folder: string;
beforeEach(async () => {
  world = await startApp('postgres');
  await world.app.listen({ host: '127.0.0.1', port: 0 });
  folder = await mkdtemp(join(tmpdir(), 'enterprise-access-clients-'));
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs the commands of the page as they stand, as a reader would; resolves with what they print. */
function paste(commands: string, programs: readonly string[] = []): Promise<string> {
  const { port } = world.app.server.address() as AddressInfo;
  const token = makeToken({
    roles: ['enterprise_admin', 'enterprise_learner'],
    enterprise: demonstration.customer,
    userId: 1000,
    secret: SECRET,
  });
  const env = {
    ...process.env,
    PATH: [...programs, process.env.PATH ?? ''].join(':'),
    ACCESS_URL: `http://127.0.0.1:${port}`,
    ACCESS_TOKEN: token,
    // Programs that live for seconds gain nothing from the second compiler.
    JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
  };
  return new Promise((resolve, reject) => {
    execFile('sh', ['-ec', commands], { cwd: folder, env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout.slice(-2_000)}\n${stderr.slice(-4_000)}`));
    });
  });
}

/** What the program prints, from the facts in the database. */
async function expectRedeemed(output: string): Promise<void> {
  const [transaction, ...others] = await world.db('ledger_transactions').where({ lms_user_id: 1000 });
  expect(others).toEqual([]);
  expect(transaction).toMatchObject({ content_key: run, state: 'committed' });
  expect(output).toContain(`policy ${demonstration.spendPolicy} PerLearnerSpendCreditAccessPolicy `);
  expect(output).toContain('policy 88888888-8888-4888-8888-888888888883 AssignedLearnerCreditAccessPolicy ');
  expect(output).toMatch(/^can redeem true 14900$/im);
  expect(output).toContain(`redeemed ${transaction.uuid} committed -14900`);
  expect(output).toMatch(/^refused 422 .*content_not_in_catalog/m);
}

describe.skipIf(services.missing.pythonClient)('a client that is generated for Python', () => {
  test('lists policies, asks and redeems', { timeout: TIMEOUT_MS }, async () => {
    await useService(services, 'pythonClient');
    const heading = 'Generate and run in Python';
    await writeFile(join(folder, 'redeem.py'), await code(heading, 'python'));
    await expectRedeemed(await paste(await code(heading, 'sh'), [clientTools.pythonPrograms()]));
  });
});

describe.skipIf(services.missing.javaClient)('a client that is generated for Java', () => {
  test('is compiled, lists policies, asks and redeems', { timeout: TIMEOUT_MS }, async () => {
    await useService(services, 'javaClient');
    const heading = 'Generate and run in Java';
    await writeFile(join(folder, 'Redeem.java'), await code(heading, 'java'));
    await symlink(clientTools.javaGenerator(), join(folder, 'openapi-generator-cli.jar'));
    await symlink(clientTools.javaLibraries(), join(folder, 'libraries'));
    await expectRedeemed(await paste(await code(heading, 'sh')));
  });
});
