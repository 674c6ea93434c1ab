// What a quantity costs by each charge model of the terms, row by row, in exact fractions: the browser's own arithmetic,
// written from docs/api/rating.md and not from the server's code, so that one mistake does not agree with itself.

import { Exact } from "./exact.js";

export const ZERO = new Exact(0n);
const ONE = new Exact(1n);
const HUNDRED = new Exact(100n);
const of = (text) => Exact.of(text ?? "0");
export const total = (rows) => rows.reduce((sum, row) => sum.plus(row.exact), ZERO);
const percent = (text) => of(text).by(HUNDRED);
const minus = (value) => ZERO.minus(value);

/** Tiers with their bounds: units in (above, upTo], upTo null for an open one. */
function reaches(charge) {
  let above = ZERO;
  return charge.tiers.map((tier, at) => {
    const last = at === charge.tiers.length - 1 && charge.beyond_last_tier === "extend";
    const upTo = (tier.up_to ?? null) === null || last ? null : of(tier.up_to);
    const found = { first: at === 0, above, upTo, price: of(tier.unit_price), flat: of(tier.flat), tier };
    above = upTo ?? above;
    return found;
  });
}

const beyond = (charge, quantity, bound) => (charge.bounds === "exclusive" ? !quantity.less(bound) : bound.less(quantity));

function within(charge, quantity) {
  const bound = charge.tiers.at(-1).up_to ?? null;
  if (bound === null || charge.beyond_last_tier === "extend" || !beyond(charge, quantity, of(bound))) return quantity;
  if (charge.beyond_last_tier === "cap") return of(bound);
  throw new RangeError(`${quantity.text} lies beyond the last tier`);
}

const flatAtZero = (charge) => (charge.first_flat_at_zero ?? "due") === "due";

/** Graduated: what of a quantity falls into each tier, and the flat fees of those it reaches. */
export function tierRows(charge, quantity, asPercent = false) {
  const stop = within(charge, quantity);
  const rows = [];
  for (const tier of reaches(charge)) {
    const reached = tier.first ? !stop.zero : beyond(charge, stop, tier.above);
    if (!tier.first && !reached) break;
    const units = (tier.upTo === null ? stop : stop.least(tier.upTo)).minus(tier.above).most(ZERO);
    const amount = units.times(tier.price);
    if (!units.zero || (tier.first && stop.zero)) {
      const price = `${tier.tier.unit_price ?? "0"}${asPercent ? " %" : ""}`;
      rows.push({ quantity: units, price, exact: asPercent ? amount.by(HUNDRED) : amount });
    }
    if (!tier.flat.zero && (reached || (tier.first && flatAtZero(charge)))) rows.push({ price: tier.tier.flat, exact: tier.flat });
  }
  return rows;
}

function volumeRows(charge, quantity) {
  const units = within(charge, quantity);
  const tiers = reaches(charge);
  const tier = tiers.find((one) => one.upTo === null || !beyond(charge, units, one.upTo)) ?? tiers.at(-1);
  const rows = [{ quantity: units, price: tier.tier.unit_price ?? "0", exact: units.times(tier.price) }];
  if (!tier.flat.zero && (!units.zero || flatAtZero(charge))) rows.push({ price: tier.tier.flat, exact: tier.flat });
  return rows;
}

function packageRows(charge, quantity) {
  const packages = quantity.by(of(charge.size));
  let count = packages.whole;
  if (!packages.equals(count) && (charge.begun ?? "whole") === "whole") count = count.plus(ONE);
  if (charge.at_zero === "one") count = count.most(ONE);
  return [{ quantity: count, price: charge.price, exact: count.times(of(charge.price)) }];
}

/** The rows of a quantity that is not negative. */
function rowsOf(charge, line, quantity) {
  if (charge.kind === "graduated" || charge.kind === "bucketed_maximum") return tierRows(charge, quantity);
  if (charge.kind === "graduated_percentage") return tierRows(charge, quantity, true);
  if (charge.kind === "volume") return volumeRows(charge, quantity);
  if (charge.kind === "package") return packageRows(charge, quantity);
  const price = { per_piece: () => charge.prices[line.subject], time_of_use: () => charge.prices[line.window] }[charge.kind];
  const each = price ? price() : charge.unit_price;
  if (each === undefined) throw new RangeError("the terms have no price for it");
  return [{ quantity, price: each, exact: quantity.times(of(each)) }];
}

/** A quantity in the unit that is billed. */
export function converted(charge, quantity) {
  let found = quantity;
  if (charge.convert) found = found.times(of(charge.convert.multiply_by ?? "1")).by(of(charge.convert.divide_by ?? "1"));
  if (charge.round_quantity) {
    const { mode = "up", places = 0 } = charge.round_quantity;
    const step = new Exact(10n ** BigInt(Math.max(-places, 0)));
    found = of(found.by(step).rounded(Math.max(places, 0), mode)).times(step);
  }
  return found;
}

/** What is billed of a measured quantity: free units off, converted, rounded, in the order that the terms name. */
export function billed(charge, quantity, ratio) {
  if (quantity.negative) return minus(billed(charge, minus(quantity), ratio));
  if (!charge.free_units) return converted(charge, quantity);
  const { holds, left } = charge.free_units;
  const free = left ?? of(charge.free_units.quantity).times(charge.free_units.prorated ? ratio(holds) : ONE);
  if (charge.free_units.when === "before_conversion") return converted(charge, quantity.minus(free).most(ZERO));
  return converted(charge, quantity).minus(free).most(ZERO);
}

/** The rows of one measured quantity, before discounts. */
export function priceQuantity(charge, line, quantity, ratio) {
  const units = billed(charge, quantity, ratio);
  if (!units.negative) return rowsOf(charge, line, units);
  const linear = ["per_piece", "energy", "standard", "time_of_use"].includes(charge.kind);
  return rowsOf(charge, line, linear ? units : minus(units)).map((row) => (linear ? row : { ...row, exact: minus(row.exact) }));
}

/** Rows that take the discounts of a charge off, one after the other, never below nothing; `spent`: what each took before. */
export function discountRows(charge, exact, ratio, spent = []) {
  let left = exact;
  return (charge.discounts ?? []).map((one, at) => {
    const amount = () => of(one.amount).times(one.prorated ? ratio(one.holds) : ONE).minus(spent[at] ?? ZERO);
    const off = (one.percent ?? null) !== null ? left.times(percent(one.percent)) : amount().least(left).most(ZERO);
    left = left.minus(off);
    return { exact: minus(off) };
  });
}

/** What of a whole quantity is free, or changed by conversion and rounding, at the price of a unit. */
export function adjusted(charge, quantity, each, price, ratio) {
  const more = billed(charge, quantity, ratio).minus(quantity);
  return more.zero ? [] : [{ quantity: more, price, exact: more.times(each) }];
}

/** A percentage of each event's amount with a fee each; free events and a free amount in order of time; `before`: those of
 * the stretches before, which used up what is free. */
export function percentageRows(charge, own, ratio, before = []) {
  const amounts = [...before, ...own];
  const rate = percent(charge.percent);
  const fee = of(charge.fixed);
  const given = (text) => ((text ?? null) === null ? null : of(text));
  const [free, low, high] = [charge.free_amount, charge.least_per_event, charge.most_per_event].map(given);
  const freeEvents = charge.free_events ?? 0;
  let [based, charged, bounded, running] = [ZERO, 0n, ZERO, ZERO];
  for (const [place, amount] of amounts.entries()) {
    running = running.plus(amount);
    let part = amount;
    if ((free !== null || freeEvents) && (!freeEvents || place < freeEvents)) {
      const over = free === null ? ZERO : running.minus(free);
      if (!ZERO.less(over)) continue;
      part = over.least(amount);
    }
    if (place < before.length) continue;
    based = based.plus(part);
    charged += 1n;
    const due = part.times(rate).plus(fee);
    const held = low === null ? due : due.most(low);
    bounded = bounded.plus((high === null ? held : held.least(high)).minus(due));
  }
  return [...chargedRows(charge, based, charged, ratio), ...(bounded.zero ? [] : [{ exact: bounded }])];
}

/** A percentage of a greatest, latest or mean amount, and a fee for each of the events. */
export function percentageOfWhole(charge, quantity, events, ratio, left = of(charge.free_amount)) {
  return chargedRows(charge, quantity.minus(left).most(ZERO), BigInt(events), ratio);
}

function chargedRows(charge, based, charged, ratio) {
  const [rate, fee, count] = [percent(charge.percent), of(charge.fixed), new Exact(charged)];
  const rows = [{ quantity: based, price: `${charge.percent} %`, exact: based.times(rate) }];
  rows.push(...adjusted(charge, based, rate, `${charge.percent} %`, ratio));
  if (!fee.zero) rows.push({ quantity: count, price: charge.fixed, exact: fee.times(count) });
  return rows;
}
