import { z } from 'zod';
import { type LegacyForm, legacyReply } from '../../kernel/legacy.ts';
import * as contract from './contract.ts';

/** The whole file as one JSON string, in spite of its content type: callers parse it. */
export const legacy: Readonly<Record<string, LegacyForm>> = {
  csv: {
    reply: legacyReply(contract.csv, {
      body: z.string().describe('The file as a JSON string.'),
      encode: ({ content }) => content,
      contentType: () => 'text/csv; charset=utf-8',
      otherTypes: ['text/csv'],
      following: ({ nextCursor }) => (nextCursor === null ? null : { cursor: nextCursor }),
    }),
  },
};
