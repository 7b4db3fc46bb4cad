import { createHmac, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../kernel/ports/clock.ts';
import { type FileLink, isFileName, type LocalFiles } from '../kernel/ports/files.ts';

export interface LocalFilesOptions {
  readonly folder: string;
  /** Signs links. Processes that make and answer links share it. */
  readonly secret: string;
  readonly publicUrl: string;
  readonly clock: Clock;
}

/** Only this service reads them. */
const OWNER_ONLY = 0o600;

/** Files in a folder, for one machine. Links lead to this service and are signed. */
export function localFiles({ folder, secret, publicUrl, clock }: LocalFilesOptions): LocalFiles {
  const pathOf = (name: string): string => {
    if (!isFileName(name)) throw new Error('The name of a file is not valid.');
    return join(folder, name);
  };
  const signatureOf = (name: string, expires: string): string =>
    createHmac('sha256', secret).update(`${name}\n${expires}`).digest('base64url');

  function isValid({ name, expires, signature }: FileLink): boolean {
    const [given, expected] = [Buffer.from(signature), Buffer.from(signatureOf(name, expires))];
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
    return isFileName(name) && Number(expires) * 1_000 > clock().getTime();
  }

  return {
    async write(name, content) {
      const path = pathOf(name);
      await mkdir(dirname(path), { recursive: true });
      // Readers see the whole file or none; two writers do not mix.
      const draft = `${path}.${process.pid}-${Date.now()}.part`;
      try {
        await pipeline(Readable.from(content), createWriteStream(draft, { mode: OWNER_ONLY }));
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
    async linkTo(name, seconds) {
      pathOf(name);
      const expires = String(Math.floor(clock().getTime() / 1_000) + seconds);
      return `${publicUrl}/files/${name}?expires=${expires}&signature=${signatureOf(name, expires)}`;
    },
    async remove(name) {
      await rm(pathOf(name), { force: true });
    },
    async open(link) {
      if (!isValid(link)) return null;
      const path = pathOf(link.name);
      const exists = await access(path).then(
        () => true,
        () => false,
      );
      return exists ? createReadStream(path) : null;
    },
  };
}
