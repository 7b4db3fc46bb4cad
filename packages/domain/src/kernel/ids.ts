import { v5, v7 } from 'uuid';
import { z } from 'zod';
import { clipped } from './clip.ts';

/** Time-ordered, so that new rows land at the end of their index. */
export const newUuid = (): string => v7();

const last = { msecs: 0, seq: 0 };
const SEQUENCES = 0x1_00_00_00;

/** A new uuid that is ordered by a given time; within one millisecond in the order in which this process makes them. */
export function newUuidAt(at: Date): string {
  const msecs = at.getTime();
  last.seq = msecs === last.msecs ? last.seq + 1 : Math.floor(Math.random() * SEQUENCES);
  last.msecs = msecs;
  return v7({ msecs, seq: last.seq });
}

const LAST_MS = 2 ** 48 - 1;

/** The smallest uuid of version 7 of that millisecond: such ids are in the order of time. */
export const firstUuidAt = (at: Date): string => {
  const hex = Math.min(Math.max(0, at.getTime()), LAST_MS).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

/** Ours alone, so that no other system derives the same uuid from the same text. */
const NAMESPACE = '8c7c5b3e-5d0f-4a5c-9a43-2f1f6f6f3a10';

/** Always the same uuid for the same text (version 5). */
export const uuidOf = (text: string): string => v5(text, NAMESPACE);

/** A uuid in any version, normalized to lower case. */
export const uuid = () => z.guid().toLowerCase();

const COURSE_RUN_KEY = /^course-v1:[^/+\s]+\+[^/+\s]+\+[^/+\s]+$/u;

/** `course-v1:Org+Course+Run`; a bare course key is refused. At most 255 characters. */
export const isCourseRunKey = (text: string): boolean => text.length <= 255 && COURSE_RUN_KEY.test(text);

export const courseRunKey = () =>
  z
    .string()
    .refine(isCourseRunKey, { error: (issue) => `Invalid content_key: ${clipped(String(issue.input))}` })
    .meta({ examples: ['course-v1:edX+DemoX+2T2026'], pattern: '^course-v1:[^/+\\s]+\\+[^/+\\s]+\\+[^/+\\s]+$' });

/** Range of times that both databases can store. */
const EARLIEST = new Date('1000-01-01T00:00:00Z');
const LATEST = new Date('9999-12-31T23:59:59.999Z');

/** A time in an input. */
export const instant = () => z.date().min(EARLIEST).max(LATEST);
