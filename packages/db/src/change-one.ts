/** An update that must change exactly one row changed none or several: the stored totals are not as expected. */
export class RowNotChanged extends Error {
  override readonly name = 'RowNotChanged';
}

/**
 * Runs an update that must succeed, such as one that releases value, and throws unless it changed exactly one row.
 * Without this check the transaction would commit and the value would be lost.
 */
export async function changeOne(update: PromiseLike<number>, what: string): Promise<void> {
  const changed = await update;
  if (changed !== 1) throw new RowNotChanged(`${what}: ${changed} rows were changed instead of 1`);
}
