import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, folders } from './paths.ts';

const INSTALL = '(npm run services:install)';

/** Why a Python client cannot be generated and run here, or null when it can. */
export const pythonClientMissing = (): string | null =>
  existsSync(join(folders.pythonClient(), 'installed'))
    ? null
    : `the generator of Python clients is not installed ${INSTALL}`;

/** Why a Java client cannot be generated, compiled and run here, or null when it can. */
export function javaClientMissing(): string | null {
  const program = ['java', 'javac'].find((name) => findProgram(name) === null);
  if (program !== undefined) return `${program} is not installed`;
  return existsSync(folders.javaClient()) ? null : `the generator of Java clients is not installed ${INSTALL}`;
}

/** Why requests cannot be generated from the document here, or null when they can. */
export const fuzzMissing = (): string | null =>
  existsSync(join(folders.fuzz(), 'installed')) ? null : `the generator of requests is not installed ${INSTALL}`;

/** Folder with the program `schemathesis`. */
export const fuzzPrograms = (): string => join(folders.fuzz(), 'bin');

/** Where the programs are that make clients from the document and run them. */
export const clientTools = {
  /** Folder with `openapi-python-client` and the `python` that can run what it makes. */
  pythonPrograms: () => join(folders.pythonClient(), 'bin'),
  javaGenerator: () => join(folders.javaClient(), 'openapi-generator-cli.jar'),
  /** Folder of what a generated Java client uses. */
  javaLibraries: () => join(folders.javaClient(), 'libraries'),
};
