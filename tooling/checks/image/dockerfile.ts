/**
 * Runs our Dockerfile without Docker: its COPY and RUN lines in plain folders. This tests, wherever `npm test` runs, what
 * the images contain, that they start, and that they stop. `docker build`, buildah and kaniko need a daemon, root or user
 * namespaces and the base image, which test machines seldom have; no npm package runs a Dockerfile. Parsing and the rules
 * of .dockerignore come from libraries. An instruction that this file does not know makes the tests fail.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { delimiter, dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { default as library } from '@balena/dockerignore';
import { type Copy, DockerfileParser, type Instruction, type JSONInstruction } from 'dockerfile-ast';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A built stage of our Dockerfile, without the operating system. */
export interface Stage {
  /** The folder that stands for the root of its file system. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

/** Files of the Docker build context. */
export async function contextFiles(): Promise<string[]> {
  const rules = library.default().add(await readFile(join(ROOT, '.dockerignore'), 'utf8'));
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(ROOT, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      // Skip large folders, which .dockerignore excludes.
      if (entry.name === 'node_modules' || entry.name === '.git' || entry.name.startsWith('.data')) continue;
      if (entry.isDirectory()) await visit(path);
      else if (!rules.ignores(path)) found.push(path);
    }
  };
  await visit('');
  return found;
}

async function run(command: string, cwd: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { PATH = '', HOME = '' } = process.env;
  // The Node of the image, not the one that happens to be installed here.
  const path = [dirname(process.execPath), PATH].join(delimiter);
  const settings = { ...env, PATH: path, HOME, npm_config_prefer_offline: 'true', npm_config_update_notifier: 'false' };
  const child = spawn('sh', ['-euc', command], { cwd, env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
  const [, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${command}\n${errors}`);
}

const words = (instruction: Instruction): string[] =>
  (instruction as JSONInstruction).getJSONStrings().map((each) => each.getJSONValue());

/**
 * Builds one target of the Dockerfile in folders below `into`. Supports only the instructions that our Dockerfile
 * uses.
 */
export async function buildTarget(target: string, into: string): Promise<Stage> {
  const dockerfile = DockerfileParser.parse(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
  const built = new Map<string, Stage & { workdir: string }>();

  async function build(name: string): Promise<Stage & { workdir: string }> {
    const known = built.get(name);
    if (known) return known;
    const stages = dockerfile.getFROMs();
    const at = stages.findIndex((from) => from.getBuildStage() === name);
    const from = stages[at];
    if (!from) throw new Error(`The Dockerfile has no stage ${name}.`);
    const below = stages.slice(0, at).some((other) => other.getBuildStage() === from.getImage());
    const base = below ? await build(from.getImage() ?? '') : null;
    const root = join(into, name);
    await mkdir(root, { recursive: true });
    const env: Record<string, string> = { ...base?.env };
    let { workdir, user, command, healthcheck } = base ?? { workdir: '/', user: 'root', command: [], healthcheck: [] };
    const end = stages[at + 1]?.getRange().start.line ?? Number.POSITIVE_INFINITY;
    const own = dockerfile
      .getInstructions()
      .filter((each) => each.getRange().start.line > from.getRange().start.line && each.getRange().start.line < end);
    for (const instruction of own) {
      const rest = instruction.getArguments().map((argument) => argument.getValue());
      switch (instruction.getKeyword()) {
        case 'WORKDIR':
          workdir = rest[0] ?? workdir;
          await mkdir(join(root, workdir), { recursive: true });
          break;
        case 'ENV':
          for (const pair of rest) env[pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1);
          break;
        case 'COPY': {
          const flag = (instruction as Copy).getFromFlag()?.getValue();
          const [source = '', destination = ''] = rest;
          const to = destination.startsWith('/') ? join(root, destination) : join(root, workdir, destination);
          if (flag) await cp(join((await build(flag)).root, source), to, { recursive: true, verbatimSymlinks: true });
          else for (const file of await contextFiles()) await cp(join(ROOT, file), join(to, relative(source, file)));
          break;
        }
        case 'RUN':
          await run(instruction.getArgumentsContent() ?? '', join(root, workdir), env);
          break;
        case 'USER':
          user = rest[0] ?? user;
          break;
        case 'CMD':
          command = words(instruction);
          break;
        case 'HEALTHCHECK':
          healthcheck = JSON.parse((instruction.getArgumentsContent() ?? '').replace(/^.*?CMD /s, ''));
          break;
        case 'EXPOSE':
          break;
        default:
          throw new Error(`This program does not know ${instruction.getKeyword()}.`);
      }
    }
    const stage = { root, env, user, command, healthcheck, workdir };
    built.set(name, stage);
    return stage;
  }

  return build(target);
}
