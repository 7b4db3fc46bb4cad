import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sdkFiles } from '@enterprise-access/contracts/sdk';
import { type Operation, operations, streams } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = join(root, 'packages/sdk/src');
const pages = join(root, 'docs/sdk');

const sources = async () => {
  const names = await readdir(source, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  return Promise.all(files.map(async (name) => ({ name, text: await readFile(join(source, name), 'utf8') })));
};

const DECLARATION = /^export (?:declare |abstract )*(?:class|interface|type|const|function\*?|async function\*?) (\w+)/;
const MEMBER =
  /^ {2}(?!\*|\/|\}|export|import|return|const |let |if |for |private|protected|#|get |constructor)(?:readonly |async |static )*\*?(\[?[\w.]+\]?)\??(?:\(|<|:)/;

/** Exported declarations, and members of exported interfaces and classes, before which there is no comment. */
function silent(text: string): string[] {
  const found: string[] = [];
  let container: string | null = null;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const before = lines.slice(0, index).findLast((each) => !/^\s*\/\/ biome-ignore/.test(each)) ?? '';
    const isDocumented = /\*\/\s*$/.test(before);
    const declared = DECLARATION.exec(line)?.[1];
    if (declared) {
      if (!isDocumented) found.push(declared);
      container = /^export (?:abstract )?(?:class|interface)\b.*\{$/.test(line) ? declared : null;
    }
    if (line === '}') container = null;
    const member = container === null ? undefined : MEMBER.exec(line)?.[1];
    if (member && !isDocumented) found.push(`${container}.${member}`);
  }
  return found;
}

/** Of the hand-written files, what users can name. The others are the package's own business. */
async function publicNames(): Promise<Set<string>> {
  const entries = await Promise.all(['index.ts', 'react.ts'].map((name) => readFile(join(source, name), 'utf8')));
  const lists = entries.flatMap((text) =>
    [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, list = '']) => list),
  );
  return new Set(lists.flatMap((list) => list.split(',').map((name) => name.replace('type ', '').trim())));
}

describe('documentation in the editor', () => {
  test('every exported name, operation and field has a comment', async () => {
    const names = await publicNames();
    const missing = (await sources()).flatMap(({ name, text }) =>
      silent(text)
        .filter((each) => name.startsWith('generated/') || names.has(each.split('.')[0] ?? ''))
        .map((each) => `${name}: ${each}`),
    );
    expect(missing).toEqual([]);
  });

  test('every generated type can be named', async () => {
    const index = await readFile(join(source, 'index.ts'), 'utf8');
    const names = (await readdir(join(source, 'generated'))).filter((name) => name !== 'react.ts');
    expect(names.filter((name) => !index.includes(`'./generated/${name}'`))).toEqual([]);
  });

  test('no comment refers to a rule by a number that its readers cannot look up', async () => {
    const texts = [...(await sources()).map(({ text }) => text), await readFile(join(root, 'openapi.json'), 'utf8')];
    expect(texts.flatMap((text) => text.match(/\bR-[A-Z]+-\d+/g) ?? [])).toEqual([]);
  });

  test('the search finds what has no comment', () => {
    const text =
      '/** Yes. */\nexport interface A {\n  /** Yes. */\n  a: string;\n  b?: number;\n  c(x: string): void;\n}\nexport type B = 1;\n';
    expect(silent(text)).toEqual(['A.b', 'A.c', 'B']);
  });

  test('amounts say what they are counted in', async () => {
    const generated = (await sources()).filter(({ name }) => name.startsWith('generated/'));
    const amounts = generated.flatMap(({ text }) => [
      ...text.matchAll(
        /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(\w*(?:Cents|[bB]alance|[qQ]uantity|Limit|[pP]rice|Deposits|Seconds|Ms))\??: number/g,
      ),
    ]);
    expect(amounts.length).toBeGreaterThan(20);
    const unitless = amounts.filter(
      ([, comment = '']) => !/US cents|US dollars|redemptions|licences|seconds|milliseconds/i.test(comment),
    );
    expect(unitless.map(([text]) => text)).toEqual([]);
  });

  test('every operation says its REST path, its permission and its errors', async () => {
    const texts = (await sources()).map(({ text }) => text).join('\n');
    for (const { id, contract } of operations) {
      const [, name = ''] = id.split('.');
      const comment = texts.match(new RegExp(`/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n  ${name}\\(`, 'g'))?.join('') ?? '';
      expect(comment, id).toContain(`${contract.rest.method} ${contract.rest.path}`);
      expect(comment, id).toContain(contract.permission.name);
      for (const { message } of contract.errors) expect(comment, id).toContain(message);
    }
  });

  test('a field without a description stops the generator', () => {
    const [operation] = operations;
    if (!operation) throw new Error('There are no operations.');
    const bare: Operation = {
      ...operation,
      contract: { ...operation.contract, input: z.object({ nameless: z.string() }) },
    };
    expect(() => sdkFiles({ operations: [bare], streams: [], models: [] })).toThrow(/nameless/);
  });
});

describe('the reference', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sdk-examples-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const snippetsOf = (page: string): string[] =>
    [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);

  test('every operation has a section with an example', async () => {
    for (const { id } of [...operations, ...streams]) {
      const [router, name] = id.split('.');
      const page = await readFile(join(pages, `${router}.md`), 'utf8');
      const section = page.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? '';
      expect(snippetsOf(section).join(''), id).toContain(`access.${id}(`);
    }
  });

  test('every example is type-checked', async () => {
    const imports = "import { EnterpriseAccess } from '@enterprise-access/sdk';\n";
    const names = (await readdir(pages)).filter((name) => name.endsWith('.md'));
    let count = 0;
    for (const name of names) {
      const snippets = snippetsOf(await readFile(join(pages, name), 'utf8'));
      const bodies = snippets.map((code, index) =>
        code.includes('import ')
          ? `export async function example${index}() {\n${code.replace(imports.trim(), '')}return access;\n}\n`
          : `export async function example${index}(access: EnterpriseAccess) {\n${code}}\n`,
      );
      count += bodies.length;
      await writeFile(join(folder, name.replace('.md', '.ts')), imports + bodies.join(''));
    }
    expect(count).toBeGreaterThan(operations.length);
    const config = {
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: {
        paths: { '@enterprise-access/sdk': [join(source, 'index.ts')] },
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: ['*.ts'],
    };
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    const outcome = await execute(process.execPath, [compiler, '-p', folder]).catch((error) => error);
    expect(outcome.stdout).toBe('');
  });
});
