import { z } from 'zod';

/** A time, stored as text. */
export const instantText = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

/** A map, stored as pairs. */
export const numbersByNumber = z.codec(
  z.array(z.tuple([z.number(), z.number()])),
  z.custom<ReadonlyMap<number, number>>((value) => value instanceof Map),
  { decode: (pairs) => new Map(pairs), encode: (map) => [...map] },
);
