import { z } from 'zod';

const jsonObject = z.record(z.string(), z.unknown());

/** Parses a JSON object; null for any other text. */
export function jsonObjectOf(text: string): Record<string, unknown> | null {
  try {
    return jsonObject.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
