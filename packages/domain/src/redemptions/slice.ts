import { defineSlice } from '../kernel/slice.ts';
import { remoteReversal } from './consumers.ts';
import * as contract from './contract.ts';
import * as decisionContract from './decision-contract.ts';
import { events } from './events.ts';
import { legacy } from './legacy.ts';
import { rejudgeJob } from './rejudge.ts';
import { redemptions } from './router.ts';
import { tables } from './tables.ts';

const { canRedeem, canRequest, creditsAvailable, explain, force, get, redeem } = contract;
const { forcedRedemption, redeemablePolicy } = contract;
const { decision, getDecision, listDecisions } = decisionContract;

export const redemptionsSlice = defineSlice({
  name: 'redemptions',
  tables,
  events,
  namespaces: {
    redemptions: {
      tag: 'Asking what a learner may redeem, and redeeming it.',
      router: redemptions,
      contracts: { canRedeem, canRequest, creditsAvailable, explain, force, get, getDecision, listDecisions, redeem },
      models: { decision, forcedRedemption, redeemablePolicy },
      legacy,
    },
  },
  jobs: [rejudgeJob],
  consumers: [remoteReversal],
});
