import type { SandboxState } from './state.ts';
import { type StripeEvent, signatureOf } from './stripe-store.ts';

/** Delays before another attempt, in milliseconds. */
const RETRIES_MS = [200, 1_000, 5_000, 15_000];
const DELIVERY_MS = 10_000;

/** How events reach the webhook. */
export interface Delivery {
  readonly order?: 'in order' | 'reverse' | 'shuffled';
  /** How often each is delivered. */
  readonly times?: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends one event, signed, until it is acknowledged; gives up after some attempts. */
async function send(state: SandboxState, event: StripeEvent): Promise<boolean> {
  const { url, secret } = state.stripe.webhook;
  if (url === null) return false;
  const body = JSON.stringify(event);
  for (let attempt = 0; attempt <= RETRIES_MS.length; attempt += 1) {
    if (attempt > 0) await pause(RETRIES_MS[attempt - 1] ?? 0);
    try {
      const reply = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'stripe-signature': signatureOf(body, secret, new Date()),
        },
        body,
        signal: AbortSignal.timeout(DELIVERY_MS),
      });
      await reply.arrayBuffer();
      if (reply.ok) return true;
    } catch {
      // The service is not there yet.
    }
  }
  return false;
}

function ordered(events: readonly StripeEvent[], { order = 'in order', times = 1 }: Delivery): StripeEvent[] {
  const all = events.flatMap((event) => Array.from({ length: times }, () => event));
  if (order === 'reverse') return all.reverse();
  if (order === 'in order') return all;
  return all
    .map((event) => ({ event, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ event }) => event);
}

/** Delivers the events that were not delivered. Returns how many were acknowledged. */
export async function deliver(state: SandboxState, how: Delivery = {}): Promise<number> {
  const { webhook, events } = state.stripe;
  const waiting = events.slice(webhook.next);
  webhook.next = events.length;
  let acknowledged = 0;
  for (const event of ordered(waiting, how)) if (await send(state, event)) acknowledged += 1;
  return acknowledged;
}

const POLL_MS = 200;

/** Delivers events as they happen, unless they are held. Returns how to stop. */
export function deliverAlways(state: SandboxState): () => void {
  let isBusy = false;
  const timer = setInterval(() => {
    state.stripeLife.catchUp();
    const { webhook, events } = state.stripe;
    if (isBusy || webhook.url === null || webhook.mode === 'hold' || webhook.next >= events.length) return;
    isBusy = true;
    deliver(state).finally(() => {
      isBusy = false;
    });
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
