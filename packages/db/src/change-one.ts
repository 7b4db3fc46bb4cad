/** An update that must change exactly one row changed none, or several: the stored totals are not what the code assumes. */
export class RowNotChanged extends Error {
  override readonly name = 'RowNotChanged';
}

/**
 * Awaits an update that cannot be refused, such as one that gives value back, and throws unless it changed one row. Without
 * this check the transaction would commit and the value would be lost.
 */
export async function changeOne(update: PromiseLike<number>, what: string): Promise<void> {
  const changed = await update;
  if (changed !== 1) throw new RowNotChanged(`${what}: ${changed} rows were changed instead of 1`);
}
