import { isRetryable, isUniqueViolation } from '@enterprise-access/db';

const ATTEMPTS = 5;

/**
 * Repeats a transaction that others were in the way of: a deadlock, or a row that another one inserted first. The next
 * attempt sees that row.
 */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !(isRetryable(error) || isUniqueViolation(error))) throw error;
    }
  }
}
