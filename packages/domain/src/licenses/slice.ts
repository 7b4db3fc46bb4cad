import { legacyReply } from '../kernel/legacy.ts';
import { mergeRouters } from '../kernel/rpc.ts';
import { defineSlice } from '../kernel/slice.ts';
import * as autoApplyContract from './agreements/auto-apply-contract.ts';
import * as agreementContract from './agreements/contract.ts';
import * as agreementProvisioning from './agreements/provisioning-contract.ts';
import { agreements } from './agreements/router.ts';
import { campaigns as bulkCampaigns } from './bulk-enrollment/campaigns.ts';
import * as bulkContract from './bulk-enrollment/contract.ts';
import { bulkEnrollmentJobs } from './bulk-enrollment/jobs.ts';
import { legacy as bulkLegacy } from './bulk-enrollment/legacy.ts';
import { bulkEnrollment } from './bulk-enrollment/router.ts';
import { campaigns } from './campaigns.ts';
import * as csvContract from './csv/contract.ts';
import { legacy as csvLegacy } from './csv/legacy.ts';
import { licensesCsv } from './csv/router.ts';
import { events } from './events.ts';
import { planJobs } from './jobs.ts';
import * as legacy from './legacy.ts';
import { lifecycleCampaigns } from './lifecycle/campaigns.ts';
import * as lifecycleContract from './lifecycle/contract.ts';
import { lifecycleJobs } from './lifecycle/jobs.ts';
import { legacy as lifecycleLegacy } from './lifecycle/legacy.ts';
import { privacy } from './lifecycle/router.ts';
import { lifecycleSettings } from './lifecycle/settings.ts';
import { agreementPermissions, permissions, retirementPermission, roles, staffPermission } from './permissions.ts';
import * as planContract from './plans/contract.ts';
import * as priorityContract from './plans/priority-contract.ts';
import * as planProvisioning from './plans/provisioning-contract.ts';
import { plans } from './plans/router.ts';
import * as productContract from './products/contract.ts';
import { products } from './products/router.ts';
import { agreementForms, planForms, productForms, renewalForms } from './provisioning-legacy.ts';
import * as renewalContract from './renewals/contract.ts';
import { renewals } from './renewals/router.ts';
import * as seatChanges from './seats/change-contract.ts';
import * as seatContract from './seats/contract.ts';
import { seatJobs } from './seats/jobs.ts';
import * as learnerContract from './seats/learner-contract.ts';
import { autoApplyLegacy, legacy as seatForms } from './seats/legacy.ts';
import { licenses } from './seats/router.ts';
import * as timelineContract from './seats/timeline-contract.ts';
import { settings } from './settings.ts';
import * as staffContract from './staff/contract.ts';
import { legacy as staffLegacy } from './staff/legacy.ts';
import { staffLicenses } from './staff/router.ts';
import { ownerOfAgreement, ownerOfLicense, ownerOfPlan } from './store.ts';
import { tables } from './tables.ts';
import * as view from './view-contract.ts';

export const licensesSlice = defineSlice({
  name: 'licenses',
  tables,
  namespaces: {
    agreements: {
      tag: 'What customers have subscribed to.',
      router: agreements,
      contracts: {
        get: agreementContract.get,
        list: agreementContract.list,
        autoApply: autoApplyContract.autoApply,
        create: agreementProvisioning.create,
        getForProvisioning: agreementProvisioning.getForProvisioning,
        update: agreementProvisioning.update,
        configure: agreementProvisioning.configure,
        setAutoAppliedPlan: agreementProvisioning.setAutoAppliedPlan,
      },
      models: {
        agreement: view.agreement,
        agreementSummary: view.agreementSummary,
        agreementSettings: agreementProvisioning.agreementSettings,
      },
      legacy: {
        get: { reply: legacyReply(agreementContract.get, legacy.agreementReply), ...legacy.activePlansFlag },
        list: { reply: legacyReply(agreementContract.list, legacy.agreementPageReply), ...legacy.activePlansFlag },
        autoApply: autoApplyLegacy,
        ...agreementForms,
      },
    },
    plans: {
      tag: 'Subscription plans: licences for a time and a catalog.',
      router: plans,
      contracts: {
        get: planContract.get,
        getForLearners: planContract.getForLearners,
        list: planContract.list,
        listForLearners: planContract.listForLearners,
        create: planProvisioning.create,
        listForProvisioning: planProvisioning.listForProvisioning,
        getForProvisioning: planProvisioning.getForProvisioning,
        update: planProvisioning.update,
        provision: planProvisioning.provision,
        setPriority: priorityContract.setPriority,
        freeze: planProvisioning.freeze,
        deleteRevoked: planProvisioning.deleteRevoked,
        revertLicenses: planProvisioning.revertLicenses,
      },
      models: { plan: view.plan, planSummary: view.planSummary, provisionedPlan: planProvisioning.provisionedPlan },
      legacy: {
        get: { reply: legacyReply(planContract.get, legacy.planReply) },
        getForLearners: { reply: legacyReply(planContract.getForLearners, legacy.planReply) },
        list: { reply: legacyReply(planContract.list, legacy.planPageReply) },
        listForLearners: { reply: legacyReply(planContract.listForLearners, legacy.planPageReply) },
        ...planForms,
      },
    },
    renewals: {
      tag: 'Renewals of subscription plans.',
      router: renewals,
      contracts: {
        list: renewalContract.list,
        get: renewalContract.get,
        create: renewalContract.create,
        update: renewalContract.update,
        remove: renewalContract.remove,
        process: renewalContract.process,
        preview: renewalContract.preview,
      },
      models: { renewal: view.renewal },
      legacy: renewalForms,
    },
    products: {
      tag: 'What is sold, and its kinds.',
      router: products,
      contracts: {
        list: productContract.list,
        create: productContract.create,
        update: productContract.update,
        listPlanTypes: productContract.listPlanTypes,
        createPlanType: productContract.createPlanType,
        updatePlanType: productContract.updatePlanType,
      },
      models: { product: productContract.product, planType: productContract.planType },
      legacy: productForms,
    },
    licenses: {
      tag: 'Licences of subscription plans, and who holds them.',
      router: mergeRouters(licenses, licensesCsv, staffLicenses),
      contracts: {
        get: seatContract.get,
        list: seatContract.list,
        overview: seatContract.overview,
        assign: seatChanges.assign,
        remind: seatChanges.remind,
        remindAll: seatChanges.remindAll,
        bulkRevoke: seatChanges.bulkRevoke,
        revokeAll: seatChanges.revokeAll,
        timeline: timelineContract.timeline,
        listOwn: learnerContract.listOwn,
        getOwn: learnerContract.getOwn,
        listMine: learnerContract.listMine,
        followAddress: learnerContract.followAddress,
        activate: learnerContract.activate,
        subsidy: learnerContract.subsidy,
        applicable: learnerContract.applicable,
        csv: csvContract.csv,
        lookUp: staffContract.lookUp,
        listOfLearner: staffContract.listOfLearner,
      },
      models: {
        license: view.license,
        learnerLicense: view.learnerLicense,
        staffLicense: staffContract.staffLicense,
        adminLicense: staffContract.adminLicense,
      },
      legacy: {
        list: { reply: legacyReply(seatContract.list, legacy.licensePageReply) },
        ...seatForms,
        ...csvLegacy,
        ...staffLegacy,
      },
    },
    bulkEnrollment: {
      tag: 'Enrollments of many learners with their licences.',
      router: bulkEnrollment,
      contracts: { enroll: bulkContract.enroll, outcomes: bulkContract.outcomes, status: bulkContract.status },
      models: { bulkEnrollmentPair: bulkContract.bulkEnrollmentPair },
      legacy: bulkLegacy,
    },
    privacy: {
      tag: 'Retirement of users of the platform.',
      router: privacy,
      contracts: { retireUser: lifecycleContract.retireUser },
      legacy: lifecycleLegacy,
    },
  },
  permissions: [
    ...Object.values(permissions),
    ...Object.values(agreementPermissions),
    staffPermission,
    retirementPermission,
  ],
  roles,
  owners: {
    agreement: { find: ownerOfAgreement, remembered: true },
    plan: { find: ownerOfPlan, remembered: true },
    license: { find: ownerOfLicense, remembered: false },
  },
  events,
  jobs: [...lifecycleJobs, ...planJobs, ...seatJobs, ...bulkEnrollmentJobs],
  campaigns: { ...campaigns, ...bulkCampaigns, ...lifecycleCampaigns },
  settings: { ...settings, ...lifecycleSettings },
});
