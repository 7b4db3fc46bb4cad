export interface NewCustomer {
  readonly name: string;
  /** Names the customer in links; unique. */
  readonly slug: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
}

export interface FoundCustomer extends NewCustomer {
  readonly uuid: string;
}

export interface CustomerCatalog {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly title: string;
  readonly catalogQueryId: number;
}

/** What came of making an account an administrator. */
export type AdministratorOutcome = 'added' | 'known' | 'noAccount';

/**
 * Port to the services that know customers: the LMS, and for academies enterprise-catalog. Everything that is made can
 * be found again by its key, so a call can be repeated after an unknown result.
 */
export interface Customers {
  /** The active customer with this slug. Not cached: it is asked whether it was made. */
  bySlug(slug: string): Promise<FoundCustomer | null>;
  create(customer: NewCustomer): Promise<FoundCustomer>;
  /** Addresses of all administrators. */
  administrators(customerUuid: string): Promise<readonly string[]>;
  /** Addresses that were invited as administrators and have no account yet. */
  invitedAdministrators(customerUuid: string): Promise<readonly string[]>;
  /** Makes the account with this address an administrator. Idempotent. */
  addAdministrator(customerUuid: string, email: string): Promise<AdministratorOutcome>;
  /** Invites an address as administrator. An address that is administrator or invited already stays as it is. */
  inviteAdministrator(customerUuid: string, email: string): Promise<void>;
  /** The catalog of a customer with this query. */
  catalog(customerUuid: string, catalogQueryId: number): Promise<CustomerCatalog | null>;
  /** Creates it; the LMS returns the one that is there for the same customer and query. */
  createCatalog(catalog: Omit<CustomerCatalog, 'uuid'>): Promise<CustomerCatalog>;
  /** Adds a catalog to an academy. Idempotent. */
  associateAcademy(academyUuid: string, catalogUuid: string): Promise<void>;
}
