/** The data of a course or run that a spend needs: the content summary of enterprise-subsidy. */
export interface Content {
  readonly contentKey: string;
  readonly courseRunKey: string | null;
  readonly title: string | null;
  readonly uuid: string | null;
  readonly courseRunUuid: string | null;
  readonly courseRunStartDate: Date | null;
  readonly source: 'edX' | '2u';
  readonly mode: 'verified' | 'paid-executive-education';
  /** US cents, rounded; null if the catalog has no price. */
  readonly priceCents: number | null;
  readonly enrollByDate: Date | null;
  readonly variantId: string | null;
  readonly details: ContentDetails;
}

/** Data of a course or run for pages and mails. */
export interface ContentDetails {
  readonly courseType: string | null;
  /** Owners that have a name. */
  readonly partners: readonly { readonly name: string; readonly logoImageUrl: string | null }[];
  readonly imageUrl: string | null;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  /** US dollars, as in the catalog. */
  readonly priceUsd: number | null;
  readonly pacing: string | null;
  readonly weeksToComplete: number | null;
}

export interface ListPrice {
  readonly usd: number;
  readonly usdCents: number;
}

/** An academy as product pages show it. */
export interface Academy {
  readonly uuid: string;
  readonly title: string | null;
  readonly longName: string | null;
  readonly description: string | null;
  readonly thumbnailUrl: string | null;
  readonly tags: readonly string[];
  readonly marketingUrl: string | null;
}

/** Port to enterprise-catalog. */
export interface Catalog {
  /** Whether the catalog contains the course or run. */
  contains(catalogUuid: string, contentKey: string): Promise<boolean>;
  /** The content for a customer, or null if none of its catalogs contains it. */
  content(customerUuid: string, contentKey: string): Promise<Content | null>;
  /** Customer that a catalog belongs to; null when the service does not know the catalog. */
  customerOf(catalogUuid: string): Promise<string | null>;
  /** Number of courses in a catalog; null when the service does not know the catalog. */
  contentCount(catalogUuid: string): Promise<number | null>;
  /** An academy, at most half an hour old; null when the service does not know it. */
  academy(uuid: string): Promise<Academy | null>;
  /** Every academy as the service describes it, for the import of products. */
  academies(options: { readonly uuid?: string }): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Number of the query of one of the customer's catalogs; null when none has one. */
  catalogQueryOf(customerUuid: string): Promise<number | null>;
  /** At most 100 catalogs by the query that defines their content. */
  distinctQueries(catalogUuids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Price independent of catalogs: null if the key is unknown, `price` null if the content has no price. */
  listPrice(contentKey: string): Promise<{ readonly price: ListPrice | null } | null>;
}
