import { v7 } from 'uuid';
import { z } from 'zod';

/** Time-ordered, so that new rows land at the end of their index. */
export const newUuid = (): string => v7();

/** A uuid in any version, normalized to lower case. */
export const uuid = () => z.guid().toLowerCase();

const COURSE_RUN_KEY = /^course-v1:[^/+\s]+\+[^/+\s]+\+[^/+\s]+$/u;

/** `course-v1:Org+Course+Run`; a bare course key is refused. At most 255 characters. */
export const isCourseRunKey = (text: string): boolean => text.length <= 255 && COURSE_RUN_KEY.test(text);

export const courseRunKey = () =>
  z
    .string()
    .refine(isCourseRunKey, { error: (issue) => `Invalid content_key: ${String(issue.input)}` })
    .meta({ examples: ['course-v1:edX+DemoX+2T2026'], pattern: '^course-v1:[^/+\\s]+\\+[^/+\\s]+\\+[^/+\\s]+$' });
