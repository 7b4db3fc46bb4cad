import { z } from 'zod';

const jsonObject = z.record(z.string(), z.unknown());

/** The object that a text of JSON is; null for everything else. */
export function jsonObjectOf(text: string): Record<string, unknown> | null {
  try {
    return jsonObject.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
