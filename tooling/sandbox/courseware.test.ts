import { expect, test } from 'vitest';
import { sandboxClient } from './testing.ts';

test.each(['/lms/courses/KEY/courseware/', '/learning/course/KEY/home'])(
  'a browser that lands on %s without a token reads what a learner would see',
  async (path) => {
    const { app } = sandboxClient();
    const key = encodeURIComponent('course-v1:edX+DemoX+2T2026');
    const reply = await app.inject({ url: path.replace('KEY', key) });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toContain('text/html');
    expect(reply.body).toContain('the learner would now see the course <code>course-v1:edX+DemoX+2T2026</code>');
    const evil = await app.inject({ url: path.replace('KEY', encodeURIComponent('<script>')) });
    expect(evil.body).not.toContain('<script>');
  },
);
