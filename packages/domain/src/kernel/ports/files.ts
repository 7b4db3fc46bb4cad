import type { Readable } from 'node:stream';

/** Names of files: parts of letters, digits, `.`, `_`, `:` and `-`, separated by slashes; no part begins with a dot. */
const FILE_NAME = /^[\w:-][\w.:-]*(?:\/[\w:-][\w.:-]*)*$/;
export const isFileName = (name: string): boolean => name.length <= 255 && FILE_NAME.test(name);

/** Port to the storage of files that callers download. */
export interface Files {
  /** Stores a text; replaces a file of the same name. */
  write(name: string, content: AsyncIterable<string>): Promise<void>;
  /** A link with which anybody can download the file as an attachment, for so many seconds. */
  linkTo(name: string, seconds: number): Promise<string>;
  /** Idempotent. */
  remove(name: string): Promise<void>;
}

/** A link to a local file, as it was called. */
export interface FileLink {
  readonly name: string;
  readonly expires: string;
  readonly signature: string;
}

/** Files in a folder; this service answers their links. */
export interface LocalFiles extends Files {
  /** The content; null if the link is not ours, has expired, or the file is gone. */
  open(link: FileLink): Promise<Readable | null>;
}
