import { describe, expect, test } from 'vitest';
import { invoiceOf, priceOf, subscriptionOf } from '../kernel/ports/stripe.ts';
import { countryCodeOf } from './countries.ts';
import { longDate, shortDate } from './mail-job.ts';
import {
  ageOf,
  canMove,
  changesBetween,
  dollarsText,
  intentNamed,
  invoiceKind,
  isEmbargoed,
  moneyText,
  paymentVerdict,
  planChange,
  problems,
  quantityProblem,
  renewalOf,
  reservationEnd,
  stalledMessage,
  unitCents,
  uuidGiven,
  wantsPlans,
  wasPaid,
} from './rules.ts';
import { type State, states, type Trigger } from './states-contract.ts';

const NOW = new Date('2026-06-01T10:00:00Z');
const later = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000);

describe('transitions', () => {
  /** Written by hand from the specification: what staff can set. */
  const allowed: Readonly<Record<State, readonly State[]>> = {
    created: ['created', 'paid', 'expired'],
    paid: ['paid', 'fulfilled', 'errored_backoffice', 'errored_fulfillment_stalled', 'errored_provisioning'],
    fulfilled: ['fulfilled'],
    errored_backoffice: ['errored_backoffice', 'fulfilled'],
    errored_fulfillment_stalled: ['errored_fulfillment_stalled', 'fulfilled'],
    errored_provisioning: ['errored_provisioning', 'fulfilled'],
    expired: ['expired', 'created'],
  };
  const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));

  test.each(pairs)('from %s to %s', (from, to) => {
    expect(canMove(from, to, 'staff')).toBe(allowed[from].includes(to));
  });

  test('17 of 49 pairs are allowed, 7 of them stay', () => {
    const open = pairs.filter(([from, to]) => canMove(from, to, 'staff'));
    expect([open.length, open.filter(([from, to]) => from === to).length]).toEqual([17, 7]);
  });

  test.each([
    ['buyer', 'created', 'paid', false],
    ['buyer', 'paid', 'fulfilled', false],
    ['buyer', 'created', 'expired', true],
    ['buyer', 'expired', 'created', true],
    ['stripe', 'created', 'paid', true],
    ['stripe', 'expired', 'paid', true],
    ['stripe', 'fulfilled', 'paid', false],
    ['provisioning', 'errored_backoffice', 'fulfilled', true],
    ['provisioning', 'errored_fulfillment_stalled', 'fulfilled', true],
    ['provisioning', 'errored_provisioning', 'fulfilled', true],
    ['provisioning', 'fulfilled', 'fulfilled', true],
    ['provisioning', 'errored_backoffice', 'errored_provisioning', false],
    ['provisioning', 'created', 'fulfilled', false],
    ['sweep', 'paid', 'errored_fulfillment_stalled', true],
    ['sweep', 'paid', 'expired', false],
  ] as const)('%s: from %s to %s', (by: Trigger, from: State, to: State, expected) => {
    expect(canMove(from, to, by)).toBe(expected);
  });
});

test('R-BILL-01, ex 1: a reservation of 1,440 minutes ends the next day', () => {
  expect(reservationEnd(NOW, 1_440)).toEqual(new Date('2026-06-02T10:00:00Z'));
});

test('R-BILL-55: the message has the seconds, the threshold and the last change', () => {
  expect(stalledMessage(NOW, later(0.1), 180)).toBe(
    'Fulfillment stalled for 360 seconds (threshold: 180s). Last modified: 2026-06-01T10:00:00.000Z. Provisioning workflow may have failed without proper error handling.',
  );
});

describe('R-BILL-41: a paid invoice', () => {
  const intent = { state: 'created' as State, stripeCustomerId: null as string | null, expiresAt: later(24) };
  const payment = { customerId: 'cus_1', paidAt: later(1) };
  test.each([
    ['created', null, 'mark'],
    ['created', 'cus_2', 'mark'],
    ['paid', 'cus_1', 'known'],
    ['paid', 'cus_2', 'other_customer'],
    ['fulfilled', 'cus_1', 'known'],
    ['errored_provisioning', 'cus_1', 'known'],
    ['fulfilled', 'cus_2', 'other_customer'],
    ['expired', null, 'mark'],
    ['expired', 'cus_2', 'other_customer'],
  ] as const)('of cus_1 for an intent that is %s, of %s: %s', (state, stripeCustomerId, verdict) => {
    expect(paymentVerdict({ ...intent, state, stripeCustomerId }, payment)).toBe(verdict);
  });
  test('after the reservation was over comes too late', () => {
    expect(paymentVerdict({ ...intent, state: 'expired' }, { ...payment, paidAt: later(24) })).toBe('late');
  });
});

const lineAt = (start: Date, isProration = false) => ({
  quantity: 12,
  unitAmountDecimal: '9999',
  isProration,
  periodStart: start,
  periodEnd: null,
});

describe('R-BILL-70: a paid invoice is', () => {
  const trialEnd = later(14 * 24);
  test.each([
    ['trial', { amountPaid: 0, billingReason: 'subscription_create', line: lineAt(NOW) }],
    ['purchase', { amountPaid: 100, billingReason: 'subscription_create', line: lineAt(NOW) }],
    ['first_period', { amountPaid: 100, billingReason: 'subscription_cycle', line: lineAt(later(14 * 24 + 3)) }],
    ['later_period', { amountPaid: 100, billingReason: 'subscription_cycle', line: lineAt(later(379 * 24)) }],
    ['change', { amountPaid: 100, billingReason: 'subscription_update', line: lineAt(NOW) }],
    ['change', { amountPaid: 100, billingReason: 'subscription_cycle', line: lineAt(NOW, true) }],
    ['other', { amountPaid: 100, billingReason: 'manual', line: null }],
  ] as const)('%s', (kind, invoice) => expect(invoiceKind(invoice, trialEnd)).toBe(kind));

  test('a later period without a trial', () => {
    expect(invoiceKind({ amountPaid: 1, billingReason: 'subscription_cycle', line: lineAt(NOW) }, null)).toBe(
      'later_period',
    );
  });
});

describe('R-BILL-71: the renewal of an invoice', () => {
  const renewal = {
    stripeInvoiceId: null as string | null,
    stripeSubscriptionId: null,
    effectiveDate: NOW as Date | null,
    processedAt: null as Date | null,
  };
  const invoice = { id: 'in_1', kind: 'first_period' as const, periodStart: NOW };
  test('is the one with its id, whatever the dates', () => {
    const named = { ...renewal, stripeInvoiceId: 'in_1', effectiveDate: null };
    expect(renewalOf([renewal, named], invoice)).toBe(named);
  });
  test('is the one of its day, at any hour of UTC', () => {
    const other = { ...renewal, effectiveDate: later(24) };
    expect(renewalOf([other, renewal], { ...invoice, periodStart: later(13.9) })).toBe(renewal);
  });
  test('is never one of another invoice', () => {
    expect(renewalOf([{ ...renewal, stripeInvoiceId: 'in_0' }], invoice)).toBeNull();
  });
  test('is the only open one for the first period, and none for a later one', () => {
    const open = { ...renewal, effectiveDate: later(48) };
    expect(renewalOf([open], invoice)).toBe(open);
    expect(renewalOf([open, { ...open }], invoice)).toBeNull();
    expect(renewalOf([open], { ...invoice, kind: 'later_period' })).toBeNull();
  });
  test.each(['trial', 'purchase', 'change', 'other'] as const)('there is none for a %s', (kind) => {
    expect(renewalOf([renewal], { ...invoice, kind })).toBeNull();
  });
});

describe('R-BILL-46: what follows from the newest state of a subscription', () => {
  const state = { status: 'trialing', cancelAt: null as Date | null, defaultPaymentMethod: 'pm_1' as string | null };
  const cancelled = { ...state, cancelAt: later(1) };
  test.each([
    ['nothing, of a new one', null, state, []],
    ['a cancellation', state, cancelled, ['cancellation_scheduled']],
    ['a cancellation that was told first', null, cancelled, ['cancellation_scheduled']],
    ['nothing, of another date', cancelled, { ...state, cancelAt: later(2) }, []],
    ['a withdrawal', cancelled, state, ['cancellation_withdrawn']],
    ['no withdrawal of one that is past due', cancelled, { ...state, status: 'past_due' }, ['payment_failed']],
    ['a failed payment', { ...state, status: 'active' }, { ...state, status: 'past_due' }, ['payment_failed']],
    ['nothing, of a second failure', { ...state, status: 'past_due' }, { ...state, status: 'past_due' }, []],
    ['its end', cancelled, { ...cancelled, status: 'canceled' }, ['ended']],
    ['nothing, of an end that is known', { ...state, status: 'canceled' }, { ...state, status: 'canceled' }, []],
    ['another card', state, { ...state, defaultPaymentMethod: 'pm_2' }, ['payment_method_changed']],
  ])('%s', (_case, before, after, changes) => expect(changesBetween(before, after)).toEqual(changes));

  test.each([
    [later(1), NOW, 'newer'],
    [NOW, later(1), 'older'],
    [NOW, NOW, 'same second'],
    [NOW, null, 'newer'],
  ])('%s after %s is %s', (told, stored, age) => expect(ageOf(told, stored)).toBe(age));
});

test.each([
  ['trialing', true],
  ['active', true],
  ['past_due', false],
  ['unpaid', false],
  ['canceled', false],
])('R-BILL-52: plans of a subscription that is %s are active: %s', (status, expected) => {
  expect(wantsPlans(status)).toBe(expected);
});

test.each([
  [false, null, false, 'inactive'],
  [false, 'active', true, 'inactive'],
  [false, 'inactive', true, null],
  [true, null, false, null],
  [true, null, true, 'active'],
  [true, 'inactive', false, 'active'],
  [true, 'active', true, null],
] as const)('R-BILL-52: paid %s, plan %s, processed %s: %s', (isPaid, planState, isProcessed, change) => {
  const renewal = { renewedSubscriptionPlanUuid: 'plan', planState, processedAt: isProcessed ? NOW : null };
  expect(planChange(renewal, isPaid)).toBe(change);
  expect(planChange({ ...renewal, renewedSubscriptionPlanUuid: null }, isPaid)).toBeNull();
});

test('a subscription that outlived its trial was paid', () => {
  expect(wasPaid({ trialEnd: NOW, endedAt: later(1) })).toBe(true);
  expect(wasPaid({ trialEnd: NOW, endedAt: NOW })).toBe(false);
  expect(wasPaid({ trialEnd: null, endedAt: NOW })).toBe(true);
});

test.each([
  ['RU', true],
  ['ru', true],
  ['JP', false],
  [null, false],
])('R-BILL-57: %s is embargoed: %s', (country, expected) => {
  expect(isEmbargoed(country, ['RU', 'IR'])).toBe(expected);
});

test.each([
  ['jp', 'JP'],
  ['Japan', 'JP'],
  ['US', 'US'],
  ['XX', null],
  ['', null],
  ['EU', null],
])('the country %s is %s', (text, code) => expect(countryCodeOf(text)).toBe(code));

describe('R-BILL-30: a quantity', () => {
  const range = [5, 50] as const;
  test.each([
    [undefined, true, problems.incomplete],
    [0, true, problems.incomplete],
    [-1, true, problems.quantityFormat],
    ['foo', true, problems.quantityFormat],
    ['10', true, problems.quantityFormat],
    [7.5, true, problems.quantityFormat],
    [15, false, problems.incomplete],
    [4, true, problems.quantityRange],
    [51, true, problems.quantityRange],
    [5, true, null],
    [50, true, null],
    [31, true, null],
  ])('%s, known product: %s', (quantity, isKnown, expected) => {
    expect(quantityProblem(quantity, isKnown, range)).toEqual(expected);
  });
});

describe('money', () => {
  test.each([
    [119_988, '1199.88', '$1,199.88'],
    [9_999, '99.99', '$99.99'],
    [100_000, '1000.00', '$1,000'],
    [5, '0.05', '$0.05'],
    [0, '0.00', '$0'],
    [-100, '-1.00', '-$1'],
    [475_200, '4752.00', '$4,752'],
  ])('%i cents are %s and %s', (cents, plain, shown) => {
    expect(dollarsText(cents)).toBe(plain);
    expect(moneyText(cents)).toBe(shown);
  });
  test.each([
    [9_900, '99'],
    [9_990, '99.9'],
    [14_999, '149.99'],
    [5, '0.05'],
  ])('ex 15: %i cents without zeros are %s', (cents, text) => expect(dollarsText(cents, 0)).toBe(text));
  test('parts of a cent are kept', () => expect(dollarsText('12345.678')).toBe('123.45678'));
  test.each([
    ['9999', 119_988, 12, 9_999],
    ['250.0', 2_500, 10, 250],
    [null, 119_988, 12, 9_999],
    ['0.5', 100, 3, null],
    [null, 100, 3, null],
  ])('a licence at %s of %i for %i costs %s', (unit, amount, quantity, cents) => {
    expect(unitCents(unit, amount, quantity)).toBe(cents);
  });
});

test('R-BILL-44: the uuid counts, then the number; metadata of others name nothing', () => {
  const uuid = '019730fb-3a8e-7c1d-9f50-5e6d1c0b7a42';
  expect(intentNamed({ checkout_intent_uuid: uuid.toUpperCase(), checkout_intent_id: '7' })).toEqual({ uuid, id: 7 });
  expect(intentNamed({ checkout_intent_uuid: 'bad', checkout_intent_id: '7' })).toEqual({ uuid: null, id: 7 });
  expect(intentNamed({ checkout_intent_id: 'bad' })).toEqual({ uuid: null, id: null });
  expect(intentNamed({ order: '7' })).toBeNull();
  expect(uuidGiven(uuid.replaceAll('-', ''))).toBe(uuid);
});

test('dates in mails', () => {
  expect(shortDate(new Date('2025-01-01T23:59:59Z'))).toBe('Jan 01, 2025');
  expect(longDate(new Date('2026-08-05T00:00:00Z'))).toBe('05 August 2026');
});

describe('objects of Stripe', () => {
  const old = {
    id: 'in_1',
    currency: 'usd',
    created: 1_780_000_000,
    subscription: 'sub_1',
    subscription_details: { metadata: { checkout_intent_id: '7' } },
    lines: { data: [{ quantity: 3, price: { unit_amount_decimal: '250' }, period: { start: 1, end: 2 } }] },
  };
  test('an invoice in the form before 2025-03-31', () => {
    expect(invoiceOf(old)).toMatchObject({
      subscriptionId: 'sub_1',
      metadata: { checkout_intent_id: '7' },
      line: { quantity: 3, unitAmountDecimal: '250' },
    });
  });
  test('an invoice whose intent stands in the details of its subscription only', () => {
    const details = { subscription: 'sub_1', metadata: { checkout_intent_uuid: 'x' } };
    const invoice = {
      ...old,
      subscription: null,
      subscription_details: null,
      parent: { subscription_details: details },
    };
    expect(invoiceOf({ ...invoice, lines: { data: [] } })).toMatchObject({
      subscriptionId: 'sub_1',
      metadata: { checkout_intent_uuid: 'x' },
      line: null,
    });
  });
  test('a one-off invoice belongs to no subscription', () => {
    expect(invoiceOf({ id: 'in_2', currency: 'usd', created: 1 }).subscriptionId).toBeNull();
  });
  test('a subscription that ends with its period ends at its end', () => {
    const item = { current_period_start: 100, current_period_end: 200, quantity: 2 };
    const raw = { id: 'sub_1', status: 'active', cancel_at: null, cancel_at_period_end: true, items: { data: [item] } };
    expect(subscriptionOf(raw)).toMatchObject({
      cancelAt: new Date(200_000),
      periodEnd: new Date(200_000),
      quantity: 2,
    });
  });
  test('R-BILL-36: a price that no subscription is sold by is left out', () => {
    const good = {
      id: 'price_1',
      active: true,
      currency: 'USD',
      unit_amount: 100,
      billing_scheme: 'per_unit',
      type: 'recurring',
      lookup_key: 'key',
      product: { id: 'prod_1' },
      recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' },
    };
    expect(priceOf(good)).toMatchObject({ currency: 'usd', product: 'prod_1', unitAmount: 100 });
    for (const change of [
      { lookup_key: null },
      { unit_amount: 1.5 },
      { billing_scheme: 'tiered' },
      { recurring: null },
      { active: false },
      { recurring: { ...good.recurring, usage_type: 'metered' } },
    ])
      expect(priceOf({ ...good, ...change })).toBeNull();
  });
});
