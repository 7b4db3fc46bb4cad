import {
  AbortedError,
  EnterpriseAccess,
  EnterpriseAccessError,
  NotFoundError,
  NotRedeemableError,
  type Policy,
  type RedemptionsRedeemInput,
} from '@enterprise-access/sdk';

/** What the stranger knows. */
export interface Known {
  readonly baseUrl: string;
  readonly token: string;
  readonly enterpriseCustomerUuid: string;
  readonly policyUuid: string;
  readonly contentKey: string;
  readonly lmsUserId: number;
  readonly jobUuid: string;
}

/** The first program that somebody writes with the package. */
export async function scenario(known: Known) {
  const { baseUrl, token, enterpriseCustomerUuid, policyUuid, contentKey, lmsUserId, jobUuid } = known;
  const access = new EnterpriseAccess({ baseUrl, token: () => Promise.resolve(token) });

  const page = await access.policies.list({ enterpriseCustomerUuid, active: true });
  const policies: Policy[] = [];
  for await (const policy of access.policies.list({ enterpriseCustomerUuid, pageSize: 1 })) policies.push(policy);

  const idempotencyKey = `of a stranger for ${lmsUserId}`;
  const input: RedemptionsRedeemInput = { policyUuid, lmsUserId, contentKey };
  const transaction = await access.redemptions.redeem(input, { idempotencyKey });
  const again = await access.redemptions.redeem(input, { idempotencyKey }).withResponse();

  let missing = 'nothing';
  try {
    await access.policies.get({ uuid: '0198c0de-0000-7000-8000-000000000001' });
  } catch (error) {
    if (error instanceof NotRedeemableError) missing = error.details.reason;
    else if (error instanceof NotFoundError) missing = `${error.name} ${error.status}`;
    else throw error;
  }

  const controller = new AbortController();
  controller.abort();
  const aborted = await access.jobs
    .get({ uuid: jobUuid }, { signal: controller.signal })
    .catch((error: unknown) => error instanceof AbortedError && error instanceof EnterpriseAccessError);

  const states: string[] = [];
  for await (const progress of access.jobs.progress({ uuid: jobUuid })) states.push(progress.state);

  const together = access.withOptions({ batch: true });
  const [one, other] = await Promise.all([
    together.policies.get({ uuid: policyUuid }),
    together.redemptions.get({ uuid: transaction.uuid }),
  ]);

  return {
    found: policies.length === page.count || page.count > 0,
    year: transaction.created.getFullYear() > 2000,
    same: again.data.uuid === transaction.uuid && again.status === 200 && again.requestId !== null,
    missing,
    aborted,
    states,
    together: one.uuid === policyUuid && other.uuid === transaction.uuid,
  };
}

// Enumerations are open in answers and closed in inputs.
export const isKnown = (policy: Policy): boolean => policy.accessMethod === 'direct';
export const ofTheFuture: Policy['accessMethod'] = 'by carrier pigeon';
// @ts-expect-error A way of access that the service does not take.
export const refused: Parameters<EnterpriseAccess['policies']['create']>[0]['accessMethod'] = 'by carrier pigeon';
// @ts-expect-error There is no such field.
export const misspelt = (policy: Policy): unknown => policy.displayname;
