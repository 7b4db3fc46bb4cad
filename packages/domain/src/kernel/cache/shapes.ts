import { timeText } from '@enterprise-access/db';
import { z } from 'zod';
import { wordedInstant } from '../instant.ts';

/** A time, stored as its original text. */
export const instantText = z.codec(z.string(), z.date(), {
  decode: (text, context) => {
    const instant = wordedInstant(text);
    if (instant) return instant;
    context.issues.push({ code: 'custom', input: text, message: 'No time.' });
    return z.NEVER;
  },
  encode: (date) => timeText(date),
});

/** A map, stored as pairs. */
export const numbersByNumber = z.codec(
  z.array(z.tuple([z.number(), z.number()])),
  z.custom<ReadonlyMap<number, number>>((value) => value instanceof Map),
  { decode: (pairs) => new Map(pairs), encode: (map) => [...map] },
);
