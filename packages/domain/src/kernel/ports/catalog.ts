/** What spending needs to know of a course or run: the enterprise-subsidy service's content summary. */
export interface Content {
  readonly contentKey: string;
  readonly courseRunKey: string | null;
  readonly title: string | null;
  readonly uuid: string | null;
  readonly courseRunUuid: string | null;
  readonly courseRunStartDate: Date | null;
  readonly source: 'edX' | '2u';
  readonly mode: 'verified' | 'paid-executive-education';
  /** US cents, rounded; null when the catalog knows no price. */
  readonly priceCents: number | null;
  readonly enrollByDate: Date | null;
  readonly variantId: string | null;
  readonly details: ContentDetails;
}

/** What pages and mails show of a course or run. */
export interface ContentDetails {
  readonly courseType: string | null;
  /** Owners that have a name. */
  readonly partners: readonly { readonly name: string; readonly logoImageUrl: string | null }[];
  readonly imageUrl: string | null;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  /** US dollars as the catalog has them. */
  readonly priceUsd: number | null;
  readonly pacing: string | null;
  readonly weeksToComplete: number | null;
}

export interface ListPrice {
  readonly usd: number;
  readonly usdCents: number;
}

/** What we ask of the enterprise catalog. */
export interface Catalog {
  /** Whether the catalog holds the course or run. */
  contains(catalogUuid: string, contentKey: string): Promise<boolean>;
  /** The content as this customer sees it, or null when none of its catalogs has it. */
  content(customerUuid: string, contentKey: string): Promise<Content | null>;
  /** Customer that a catalog belongs to; null when the service does not know the catalog. */
  customerOf(catalogUuid: string): Promise<string | null>;
  /** Number of courses in a catalog; null when the service does not know the catalog. */
  contentCount(catalogUuid: string): Promise<number | null>;
  /** Price whatever the catalog: null content when nobody knows the key, null price when it has none. */
  listPrice(contentKey: string): Promise<{ readonly price: ListPrice | null } | null>;
}
