/** What each domain is about; one tag per domain. */
export const tagDescriptions: Readonly<Record<string, string>> = {
  assignments: 'Content that administrators assign to learners.',
  bff: 'Everything that a page of the front ends shows, in one reply.',
  billing: 'Checkout, invoices and the customer portal of self-service customers.',
  customers: 'Customers and what is kept about them.',
  groups: 'Groups of the LMS whose members may redeem through a policy.',
  jobs: 'Work that takes longer than a request.',
  ledger: 'Subsidies and the transactions that move their value.',
  licenses: 'Subscriptions, their licences, and who holds them.',
  policies: 'Rules and budgets over a subsidy.',
  provisioning: 'Setting up a customer with everything it needs.',
  redemptions: 'Asking what a learner may redeem, and redeeming it.',
  requests: 'Content that learners ask their administrators for.',
};
