/** Answers every request with one page of policies in the form of the tRPC door, as fast as Node can. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import superjson from 'superjson';

const policy = (index: number) => ({
  uuid: `88888888-8888-4888-8888-88888888888${index}`,
  policyType: 'PerLearnerSpendCreditAccessPolicy',
  displayName: 'A thousand dollars each',
  description: 'Every learner may spend up to 1,000 dollars.',
  active: true,
  retired: false,
  retiredAt: null,
  enterpriseCustomerUuid: '11111111-1111-4111-8111-111111111111',
  catalogUuid: '22222222-2222-4222-8222-222222222222',
  subsidyUuid: '33333333-3333-4333-8333-333333333333',
  accessMethod: 'direct',
  perLearnerEnrollmentLimit: null,
  perLearnerSpendLimitCents: 100_000,
  spendLimitCents: 50_000_000,
  lateRedemptionAllowedUntil: null,
  isLateRedemptionAllowed: false,
  subsidyActiveDatetime: new Date('2020-01-01T00:00:00Z'),
  subsidyExpirationDatetime: new Date('2099-12-31T23:59:59Z'),
  isSubsidyActive: true,
  spentCents: 14_900,
  allocatedCents: 0,
  spendAvailableCents: 49_985_100,
  assignmentConfiguration: null,
  learnerCreditRequestConfigUuid: null,
  groupAssociations: [],
  bnrEnabled: false,
  totalSpendLimitsForSubsidyCents: 90_000_000,
  totalDepositsForSubsidyCents: 100_000_000,
  created: new Date('2026-06-01T12:00:00Z'),
});

const items = [1, 2, 3].map(policy);
const page = superjson.serialize({ items, nextCursor: null, count: items.length, page: 1, pageSize: 100 });
const body = JSON.stringify({ result: { data: page } });

const server = createServer((_request, reply) => {
  reply.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'one' }).end(body);
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
