/** Fixed ids, so that scripts and examples can rely on them. */
export const demonstration = {
  customer: '11111111-1111-4111-8111-111111111111',
  catalog: '22222222-2222-4222-8222-222222222222',
  subsidy: '33333333-3333-4333-8333-333333333333',
  otherCustomer: '44444444-4444-4444-8444-444444444444',
  otherCatalog: '55555555-5555-4555-8555-555555555555',
  otherSubsidy: '66666666-6666-4666-8666-666666666666',
  /** A course run of both catalogs. */
  run: 'course-v1:edX+DemoX+2T2026',
  group: '77777777-7777-4777-8777-777777777777',
  spendPolicy: '88888888-8888-4888-8888-888888888881',
  enrollmentPolicy: '88888888-8888-4888-8888-888888888882',
  assignedPolicy: '88888888-8888-4888-8888-888888888883',
  otherPolicy: '88888888-8888-4888-8888-888888888884',
  /** Plan of the trial of a purchase of the demo customer, and its intent. */
  subscriptionPlan: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1',
  paidPlan: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2',
  checkoutIntent: 'cccccccc-cccc-4ccc-8ccc-ccccccccccc1',
  /** A budget that takes requests, and a request to it. */
  requestPolicy: '88888888-8888-4888-8888-888888888885',
  requestConfiguration: '99999999-9999-4999-8999-999999999992',
  requestAssignments: '99999999-9999-4999-8999-999999999993',
  request: 'dddddddd-dddd-4ddd-8ddd-ddddddddddd1',
  assignmentConfiguration: '99999999-9999-4999-8999-999999999991',
  /** A workflow that has ended. */
  workflow: 'eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee1',
  agreement: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1',
  /** The current plan, with licences in every state. */
  plan: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1',
  /** The plan that follows it. */
  futurePlan: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2',
  /** An activated licence of learner 1900. */
  license: 'cccccccc-cccc-4ccc-8ccc-ccccccccccc1',
  otherAgreement: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2',
  otherPlan: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb3',
} as const;
