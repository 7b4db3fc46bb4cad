import { stableUuid } from './ids.ts';

/** What distinguishes one course from another; the full record is made of it. */
export interface Course {
  readonly key: string;
  readonly runKey: string;
  readonly title: string;
  readonly priceCents: number;
  /** ISO time, or null for no deadline. */
  readonly enrollBy: string | null;
  readonly source: 'edX' | '2u';
  readonly start: string;
  readonly organization: string;
  readonly weeks: number;
  readonly pacing: string;
}

export const FAR_FUTURE = '2099-12-31T23:59:59Z';
const START = '2026-01-05T00:00:00Z';
export const EXECUTIVE_MODE = 'paid-executive-education';

/** A course with the usual properties where none are given. */
export function course(given: Pick<Course, 'key'> & Partial<Course>): Course {
  return {
    runKey: `course-v1:${given.key}+2T2026`,
    title: given.key,
    priceCents: 14_900,
    enrollBy: FAR_FUTURE,
    source: 'edX',
    start: START,
    organization: given.key.split('+')[0] ?? 'edX',
    weeks: 6,
    pacing: 'self_paced',
    ...given,
  };
}

/** Normalised as the catalog does (R-UP-31): executive education is priced by its entitlement, the rest by the seat. */
function runRecord(item: Course) {
  const executive = item.source === '2u';
  const paid = !executive && item.priceCents > 0;
  const dollars = item.priceCents / 100;
  return {
    key: item.runKey,
    uuid: stableUuid(item.runKey),
    content_type: 'courserun',
    title: item.title,
    status: 'published',
    is_enrollable: true,
    is_marketable: true,
    availability: 'Current',
    pacing_type: item.pacing,
    start: item.start,
    end: FAR_FUTURE,
    enrollment_start: null,
    // A course without a paid seat has no upgrade deadline to carry the date.
    enrollment_end: paid ? null : item.enrollBy,
    first_enrollable_paid_seat_price: paid ? dollars : null,
    fixed_price_usd: null,
    variant_id: executive ? stableUuid(`variant:${item.runKey}`) : null,
    restriction_type: null,
    weeks_to_complete: item.weeks,
    seats: paid
      ? [
          {
            type: 'verified',
            price: dollars.toFixed(2),
            upgrade_deadline: item.enrollBy,
            upgrade_deadline_override: null,
          },
        ]
      : [],
  };
}

function entitlementsOf(item: Course) {
  if (item.priceCents === 0) return [];
  const mode = item.source === '2u' ? EXECUTIVE_MODE : 'verified';
  const sku = stableUuid(`sku:${item.key}`).slice(0, 7).toUpperCase();
  return [{ mode, price: (item.priceCents / 100).toFixed(2), currency: 'USD', sku }];
}

/** The catalog's full record of a course. */
export function courseRecord(item: Course) {
  const run = runRecord(item);
  const metadata = {
    start_date: item.start,
    end_date: FAR_FUTURE,
    enroll_by_date: item.enrollBy,
    enroll_start_date: null,
    content_price: item.priceCents / 100,
  };
  return {
    key: item.key,
    uuid: stableUuid(item.key),
    content_type: 'course',
    title: item.title,
    aggregation_key: `course:${item.key}`,
    course_type: item.source === '2u' ? 'executive-education-2u' : 'verified-audit',
    product_source: { name: item.source, slug: item.source, description: item.source },
    advertised_course_run_uuid: run.uuid,
    image_url: null,
    card_image_url: null,
    owners: [
      {
        uuid: stableUuid(`org:${item.organization}`),
        key: item.organization,
        name: item.organization,
        logo_image_url: null,
      },
    ],
    entitlements: entitlementsOf(item),
    course_runs: [run],
    normalized_metadata: metadata,
    normalized_metadata_by_run: { [run.key]: metadata },
    parent_content_key: null,
    content_last_modified: '2026-01-01T00:00:00Z',
    active: true,
    enrollment_url: null,
    xapi_activity_id: null,
  };
}

/** A course with its answers rendered once: the load tests ask for the same ones over and over. */
export interface CourseEntry {
  readonly course: Course;
  readonly record: ReturnType<typeof courseRecord>;
  readonly courseJson: string;
  readonly runJson: string;
  readonly courseUuid: string;
  readonly runUuid: string;
}

function entryOf(item: Course): CourseEntry {
  const record = courseRecord(item);
  const run = runRecord(item);
  return {
    course: item,
    record,
    courseJson: JSON.stringify(record),
    runJson: JSON.stringify({
      ...run,
      aggregation_key: `courserun:${item.key}`,
      product_source: record.product_source,
      parent_content_key: item.key,
      normalized_metadata: record.normalized_metadata,
    }),
    courseUuid: record.uuid,
    runUuid: run.uuid,
  };
}

/** All courses, found by key or uuid of the course or of its run. */
export class CourseIndex {
  private readonly byKey = new Map<string, CourseEntry>();
  private readonly byIdentifier = new Map<string, CourseEntry>();

  put(item: Course): CourseEntry {
    const entry = entryOf(item);
    this.remove(item.key);
    this.byKey.set(item.key, entry);
    for (const name of namesOf(entry)) this.byIdentifier.set(name, entry);
    return entry;
  }

  remove(key: string): void {
    const entry = this.byKey.get(key);
    if (!entry) return;
    this.byKey.delete(key);
    for (const name of namesOf(entry)) this.byIdentifier.delete(name);
  }

  find(identifier: string): CourseEntry | undefined {
    return this.byIdentifier.get(identifier);
  }

  list(): readonly CourseEntry[] {
    return [...this.byKey.values()];
  }
}

const namesOf = (entry: CourseEntry) => [entry.course.key, entry.course.runKey, entry.courseUuid, entry.runUuid];
