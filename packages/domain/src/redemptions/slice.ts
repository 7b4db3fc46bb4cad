import { defineSlice } from '../kernel/slice.ts';
import { remoteReversal } from './consumers.ts';
import * as contract from './contract.ts';
import { events } from './events.ts';
import { legacy } from './legacy.ts';
import { redemptions } from './router.ts';
import { tables } from './tables.ts';

const { canRedeem, canRequest, creditsAvailable, explain, force, get, redeem } = contract;
const { forcedRedemption, redeemablePolicy } = contract;

export const redemptionsSlice = defineSlice({
  name: 'redemptions',
  tables,
  events,
  namespaces: {
    redemptions: {
      tag: 'Asking what a learner may redeem, and redeeming it.',
      router: redemptions,
      contracts: { canRedeem, canRequest, creditsAvailable, explain, force, get, redeem },
      models: { forcedRedemption, redeemablePolicy },
      legacy,
    },
  },
  consumers: [remoteReversal],
});
