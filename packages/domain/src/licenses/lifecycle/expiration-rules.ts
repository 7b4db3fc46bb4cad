const DAY_MS = 86_400_000;

/** Number of a day in UTC. */
const dayOf = (date: Date): number => Math.floor(date.getTime() / DAY_MS);
const beginOf = (day: number): Date => new Date(day * DAY_MS);

/** Days between the dates in UTC, whatever the time of the day (R-LICX-23). */
export const daysBetween = (from: Date, to: Date): number => dayOf(to) - dayOf(from);

/** Expirations about which learners get a mail: from the first instant, up to the last one, which is not included. */
export interface Window {
  readonly from: Date;
  readonly to: Date;
}

/** From now until the end of the day in so many days: whatever was missed is caught up with. */
export const windowBefore = (now: Date, days: number): Window => ({
  from: new Date(now.getTime() + 1),
  to: beginOf(dayOf(now) + days + 1),
});

/** The last so many days before today. */
export const windowAfter = (now: Date, days: number): Window => ({
  from: beginOf(dayOf(now) - days),
  to: beginOf(dayOf(now)),
});
