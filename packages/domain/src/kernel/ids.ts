import { v5, v7 } from 'uuid';
import { z } from 'zod';
import { clipped } from './clip.ts';

/** Time-ordered, so that new rows land at the end of their index. */
export const newUuid = (): string => v7();

/** Our own namespace, so that no other system derives the same uuid from the same text. */
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
