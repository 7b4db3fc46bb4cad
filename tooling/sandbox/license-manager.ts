import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBody } from './http.ts';
import type { SandboxState } from './state.ts';

/** What licence plans and renewals were told, in its order. */
export interface LicenseStore {
  readonly plans: Map<string, boolean>;
  readonly renewals: Set<string>;
  readonly calls: string[];
}

export const emptyLicenses = (): LicenseStore => ({ plans: new Map(), renewals: new Set(), calls: [] });

const planBody = z.object({ is_active: z.boolean().optional(), change_reason: z.string() });

/** license-manager: LM-02 and LM-10, for any plan and renewal. */
export function licenseManagerRoutes(app: FastifyInstance, state: SandboxState): void {
  app.patch<{ Params: { uuid: string } }>('/api/v1/provisioning-admins/subscriptions/:uuid/', (request, reply) => {
    const { is_active: isActive } = parseBody(planBody, request.body);
    const { uuid } = request.params;
    if (isActive !== undefined) {
      if (state.licenses.plans.get(uuid) !== isActive) state.licenses.calls.push(`${uuid} ${isActive}`);
      state.licenses.plans.set(uuid, isActive);
    }
    reply.send({ uuid, is_active: state.licenses.plans.get(uuid) ?? true });
  });
  app.post<{ Params: { id: string } }>(
    '/api/v1/provisioning-admins/subscription-plan-renewals/:id/process/',
    (request, reply) => {
      const { id } = request.params;
      const isNew = !state.licenses.renewals.has(id);
      if (isNew) state.licenses.calls.push(`renewal ${id}`);
      state.licenses.renewals.add(id);
      reply.code(isNew ? 201 : 200).send({ id: Number(id), processed: true });
    },
  );
}
