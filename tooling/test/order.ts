export const slowestFirst = <T>(files: readonly T[], secondsOf: (file: T) => number): T[] =>
  files.toSorted((a, b) => secondsOf(b) - secondsOf(a));

/** Splits files into parts of similar duration: each file, slowest first, goes to the part with the least total. */
export function balanced<T>(files: readonly T[], count: number, secondsOf: (file: T) => number): T[][] {
  const parts = Array.from({ length: count }, () => ({ files: [] as T[], seconds: 0 }));
  for (const file of slowestFirst(files, secondsOf)) {
    const least = parts.reduce((a, b) => (b.seconds < a.seconds ? b : a));
    least.files.push(file);
    least.seconds += secondsOf(file);
  }
  return parts.map((part) => part.files);
}
