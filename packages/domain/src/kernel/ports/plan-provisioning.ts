/** An agreement as provisioning sees it. */
export interface ProvisionedAgreement {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly defaultCatalogUuid: string | null;
  /** Plans of the agreement, inactive ones too. */
  readonly plans: readonly ProvisionedPlan[];
}

export interface ProvisionedPlan {
  readonly uuid: string;
  readonly title: string;
  readonly salesforceOpportunityLineItem: string | null;
  readonly created: Date;
  readonly startDate: Date;
  readonly expirationDate: Date;
  readonly isActive: boolean;
  readonly isCurrent: boolean;
  /** Label of the product's plan type; null without a product. */
  readonly planType: string | null;
  readonly enterpriseCatalogUuid: string;
  readonly product: number | null;
}

export interface NewPlan {
  readonly agreementUuid: string;
  readonly title: string;
  readonly salesforceOpportunityLineItem: string | null;
  readonly startDate: Date;
  readonly expirationDate: Date;
  readonly desiredNumLicenses: number;
  readonly productId: number;
  readonly enterpriseCatalogUuid: string;
  readonly isActive: boolean;
  readonly forInternalUseOnly: boolean;
}

export interface NewRenewal {
  readonly priorPlanUuid: string;
  readonly renewedPlanUuid: string;
  readonly numberOfLicenses: number;
  readonly effectiveDate: Date;
  readonly renewedExpirationDate: Date;
}

export interface ProvisionedRenewal extends NewRenewal {
  readonly id: number;
}

/**
 * Port to the licences: this service's own, or a remote license manager. Each thing that is made can be found again:
 * an agreement by its customer, a plan by agreement and title, a renewal by its two plans.
 */
export interface PlanProvisioning {
  agreementOf(customerUuid: string): Promise<ProvisionedAgreement | null>;
  createAgreement(agreement: {
    readonly customerUuid: string;
    readonly customerSlug: string;
    readonly customerName: string;
    readonly defaultCatalogUuid: string | null;
  }): Promise<ProvisionedAgreement>;
  createPlan(plan: NewPlan): Promise<ProvisionedPlan>;
  /** Returns the renewal that is there if it joins the same plans. */
  createRenewal(renewal: NewRenewal): Promise<ProvisionedRenewal>;
  /** Changes the Salesforce line item of a plan, active or not. */
  setLineItem(planUuid: string, lineItem: string): Promise<void>;
}
