import { z } from 'zod';
import { defineSettings } from '../../src/kernel/settings.ts';

declare module '../../src/kernel/settings.ts' {
  interface Settings {
    /** First word of a greeting. */
    readonly greetingWord?: string;
  }
}

export const settings = defineSettings({
  greetingWord: {
    variable: 'GREETING_WORD',
    schema: z.string().default('Hello').describe('First word of a greeting.'),
  },
});
