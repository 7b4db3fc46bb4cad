import { createHash } from 'node:crypto';

/** A course with its one run, as the catalog sells it. */
export interface Course {
  readonly key: string;
  readonly runKey: string;
  readonly title: string;
  /** US dollars. */
  readonly price: number;
  /** End of enrollment, ISO 8601; null is no end. */
  readonly enrollBy: string | null;
  readonly source?: 'edX' | '2u';
}

const FAR = '2099-12-31T23:59:59Z';

const course = (key: string, title: string, price: number, change: Partial<Course> = {}): Course => ({
  key,
  runKey: `course-v1:${key}+2T2026`,
  title,
  price,
  enrollBy: FAR,
  ...change,
});

/** What both demonstration catalogs hold. */
export const demonstrationCourses: readonly Course[] = [
  course('edX+DemoX', 'Demonstration Course', 149),
  course('edX+CentsX', 'A Price with Cents', 19.99),
  course('edX+FreeX', 'A Free Course', 0),
  course('edX+PastX', 'Enrollment is Over', 99, { enrollBy: '2001-01-01T00:00:00Z' }),
  course('edX+ExecX', 'Executive Education', 2_900, { source: '2u' }),
  course('DemoU+Algebra', 'Algebra', 79),
  course('DemoU+Statistics', 'Statistics', 129),
  course('DemoU+Writing', 'Writing', 49),
  course('DemoU+Python', 'Programming in Python', 199),
  course('DemoU+Negotiation', 'Negotiation', 249.5),
  course('DemoU+History', 'World History', 59),
  course('DemoU+Chemistry', 'Chemistry', 89),
];

/** A stable uuid of a name. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const EXECUTIVE = 'paid-executive-education';

/** The course as enterprise-catalog describes it. */
export function catalogRecord(of: Course) {
  const source = of.source ?? 'edX';
  const metadata = {
    start_date: '2026-07-01T00:00:00Z',
    end_date: '2026-12-31T00:00:00Z',
    enroll_by_date: of.enrollBy,
    enroll_start_date: null,
    content_price: of.price,
  };
  return {
    key: of.key,
    uuid: uuidOf(of.key),
    content_type: 'course',
    title: of.title,
    aggregation_key: `course:${of.key}`,
    course_type: source === '2u' ? 'executive-education-2u' : 'verified-audit',
    product_source: { name: source, slug: source, description: source },
    advertised_course_run_uuid: uuidOf(of.runKey),
    entitlements: [{ mode: source === '2u' ? EXECUTIVE : 'verified', price: of.price.toFixed(2), currency: 'USD', sku: null }],
    course_runs: [
      {
        key: of.runKey,
        uuid: uuidOf(of.runKey),
        title: of.title,
        status: 'published',
        is_enrollable: true,
        is_marketable: true,
        start: metadata.start_date,
        end: metadata.end_date,
        enrollment_end: of.enrollBy,
        first_enrollable_paid_seat_price: of.price,
        variant_id: source === '2u' ? uuidOf(`variant:${of.key}`) : null,
      },
    ],
    normalized_metadata: metadata,
    normalized_metadata_by_run: { [of.runKey]: metadata },
    parent_content_key: null,
    active: true,
  };
}
