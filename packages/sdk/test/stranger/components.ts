import { EnterpriseAccess, type Policy } from '@enterprise-access/sdk';
import { accessQueries } from '@enterprise-access/sdk/react';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

const queries = accessQueries(new EnterpriseAccess({ baseUrl: 'https://access.example.com' }));

export function usePolicy(uuid: string): Policy | undefined {
  return useQuery(queries.policies.get.queryOptions({ uuid })).data;
}

export function usePolicyNames(enterpriseCustomerUuid: string): (string | null)[] {
  const { data } = useInfiniteQuery(queries.policies.list.infiniteOptions({ enterpriseCustomerUuid }));
  return data?.pages.flatMap((page) => page.items.map(({ displayName }) => displayName)) ?? [];
}

export function useRedeem(): (contentKey: string) => void {
  const client = useQueryClient();
  const { mutate } = useMutation({
    ...queries.redemptions.redeem.mutationOptions(),
    onSuccess: (transaction) => {
      client.setQueryData(queries.redemptions.get.queryOptions({ uuid: transaction.uuid }).queryKey, transaction);
      return queries.policies.invalidate(client);
    },
  });
  return (contentKey) => mutate({ policyUuid: 'p', lmsUserId: 1, contentKey });
}

export function useWrong(): void {
  // @ts-expect-error The input of the query has no such field.
  useQuery(queries.policies.get.queryOptions({ id: 'p' }));
}
