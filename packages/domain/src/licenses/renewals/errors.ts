import { notFound } from '../../kernel/errors.ts';

export const renewalNotFound = () => notFound({}, { message: 'No SubscriptionPlanRenewal matches the given query.' });
