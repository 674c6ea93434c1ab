// Prices every line again from the terms, the counted events and the records in the bundle, and says what differs.
//
// The surprise: what the bundle shows completely is counted again too (events without rules of validity, seconds of
// running, registers); for the rest a line's own quantity is taken, and `tally-verify` follows it to the records.

import { bucketAt, inSeason, localAt, midnight, number, wholePeriod, windowAt } from "./clock.js";
import { Exact } from "./exact.js";
import { ONCE, leftOf, runOf, spentInStretches, versionsOf } from "./stretches.js";
import { ZERO, adjusted, billed, discountRows, percentageOfWhole, percentageRows, priceQuantity, tierRows, total } from "./pricing.js";

const of = (text) => Exact.of(text ?? "0");
const ONE = new Exact(1n);
const HOUR = new Exact(3600n);
export const exactOf = (line) => Exact.of(line.exact || line.unrounded);
const scaled = (value, scale) => (scale < 0 ? new Exact(BigInt(value), 10n ** BigInt(-scale)) : new Exact(BigInt(value) * 10n ** BigInt(scale)));
export const OWN_BOUND = ["minimum", "maximum"];

/** Everything about a line that pricing asks for. */
export function contextOf(bundle, line) {
  const agreement = versionsOf(bundle).find((one) => one.version === line.version).terms;
  const { head } = bundle.statement;
  let { period } = head;
  if (line.belongs_to) {
    const [first, end] = line.belongs_to.includes("/") ? line.belongs_to.split("/") : wholePeriod({}, `${line.belongs_to}-01`);
    period = { first, end, from_ms: midnight(first, agreement.zone), to_ms: midnight(end, agreement.zone) };
  }
  const whole = line.first === period.first && line.end === period.end;
  const days = () => (whole ? [period.from_ms, period.to_ms] : [midnight(line.first, agreement.zone), midnight(line.end, agreement.zone)]);
  const served = line.from ? [line.from, line.to] : days();
  const context = { agreement, charge: agreement.charges[line.charge], line, period, served, zone: agreement.zone, bundle };
  return context.charge ? keeping({ ...context, run: bundle.versions.length > 1 ? runOf(context) : null }) : context;
}

/** The part of the period for a limit: of a line's own stretch, or of all those for which it holds once. */
const ratioFor = (context) => (holds) => ratioOf(holds === ONCE && context.run ? { ...context, served: context.run.span } : context);

/** The same with what the stretches before left of the free units, where they hold once for the period. */
function keeping(context) {
  const { charge, bundle, run } = context;
  if (!run || charge.free_units?.holds !== ONCE || charge.across_versions === "continue") return context;
  const own = charge.kind === "bucketed_maximum" && charge.tiers_apply !== "to_the_sum";
  const amount = (limit, stretch) => of(limit.quantity).times(limit.prorated ? ratioOf({ ...context, served: run.span, charge: stretch?.charge ?? charge }) : ONE);
  const measured = (line) => {
    const based = (line.steps ?? []).find((row) => row.what === "percent");
    // What the events give is exact, also where the digits that are shown of it end before it does.
    return based ? of(based.quantity) : usage(contextOf(bundle, line)).quantity ?? of(line.quantity.value);
  };
  const left = own ? undefined : leftOf({ ...context, amount, measured }, (one) => one.free_units);
  return left ? { ...context, charge: { ...charge, free_units: { ...charge.free_units, left } } } : context;
}

/** The free amount that the stretches before left, for a percentage of one aggregated quantity. */
function freeAmount(context) {
  const limit = (charge) => charge.free_amount && { holds: charge.free_holds, much: charge.free_amount };
  const measured = (line) => usage(contextOf(context.bundle, line)).quantity ?? of(line.quantity.value);
  return leftOf({ ...context, amount: ({ much }) => of(much), measured }, limit);
}

/** The part of the whole period that a line is for. */
export function ratioOf({ agreement, charge, period, served, zone }) {
  const { count = "days", denominator = "whole_period", ratio_places = null, ratio_mode = "half_up" } = charge.proration ?? {};
  if (count === "none") return ONE;
  const [first, end] = wholePeriod(agreement.cycle, period.first);
  const cut = denominator === "actual_period" || end < period.end;
  const whole = cut ? period : { first, end, from_ms: midnight(first, zone), to_ms: midnight(end, zone) };
  const between = (from, to) => {
    if (count === "seconds") return to - from;
    const last = number(localAt(count === "both_edges" ? to - 1 : to, zone).day) - number(localAt(from, zone).day);
    return last + (count === "both_edges" || count === "end_inclusive" ? 1 : 0);
  };
  let part = between(...served);
  let all = between(whole.from_ms, whole.to_ms);
  if (count === "fixed_30_days") {
    const [months, days] = [(day) => Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7)), number(whole.end) - number(whole.first)];
    all = (months(whole.end) - months(whole.first)) * 30 || days;
    part = served[0] === whole.from_ms && served[1] === whole.to_ms ? all : Math.min(part, all);
  }
  const ratio = new Exact(BigInt(part), BigInt(all));
  return ratio_places === null ? ratio : of(ratio.rounded(ratio_places, ratio_mode));
}

/** The counted events that a line stands on; null where the terms judge them, or measure something else. */
function eventsOf({ charge, line, served, bundle }) {
  const source = charge.source ?? {};
  if (source.measure !== "events" || charge.valid || (charge.across_versions === "continue" && bundle.versions.length > 1)) return null;
  const labels = (event) => ({ ...event.labels, type: event.type, ...(event.subject ? { subject: event.subject } : {}) });
  const wanted = Object.entries({ ...source.where, device: source.devices, subject: source.subjects, type: source.types });
  const told = (bundle.events ?? []).map((event) => ({ ...event, own: labels(event), much: scaled(event.value ?? 1, event.scale ?? 0) }));
  const mine = told.filter(
    ({ own }) =>
      wanted.every(([label, values]) => !values?.length || values.includes(own[label])) &&
      Object.entries(line.group ?? {}).every(([label, value]) => (own[label] ?? "") === value),
  );
  const key = (one) => [one.at, one.source, one.id];
  const order = (a, b) => key(a).map((x, at) => (x < key(b)[at] ? -1 : x > key(b)[at] ? 1 : 0)).find((one) => one) ?? 0;
  mine.sort(order);
  return { before: mine.filter((one) => one.at < served[0]), own: mine.filter((one) => one.at >= served[0] && one.at < served[1]) };
}

/** Many events as one quantity. */
function aggregated({ before, own }, { charge, served }) {
  const { function: how = "sum", of: label, per = "hour", level = "set_by_use", opening } = charge.aggregation ?? {};
  const sum = (events) => events.reduce((all, one) => all.plus(one.much), ZERO);
  if (how === "sum") return sum(own);
  if (how === "count") return new Exact(BigInt(own.length));
  if (how === "max") return own.length ? own.map((one) => one.much).reduce((a, b) => a.most(b)) : ZERO;
  if (how === "unique") return new Exact(BigInt(new Set(own.map((one) => one.own[label ?? "subject"]).filter(Boolean)).size));
  const changes = level === "changed_by_use";
  let at = of(opening);
  if (before.length) at = changes ? at.plus(sum(before)) : before.at(-1).much;
  if (how === "latest") return own.length ? own.at(-1).much : at;
  let [since, area] = [served[0], ZERO];
  for (const one of own) {
    area = area.plus(at.times(new Exact(BigInt(one.at - since))));
    [at, since] = [changes ? at.plus(one.much) : one.much, one.at];
  }
  area = area.plus(at.times(new Exact(BigInt(served[1] - since))));
  const ms = { period: served[1] - served[0], second: 1000, minute: 60000, hour: 3600000, day: 86400000 }[per];
  return area.by(new Exact(BigInt(ms)));
}

/** Seconds of running by speed, coil and season, from the records under a line. */
function runtimeRows({ charge, line, bundle, zone }) {
  const seconds = new Map();
  const [wanted, group] = [charge.source?.where ?? {}, line.group ?? {}];
  for (const { log, index } of line.leaves) {
    const at = index - bundle.statement.head.logs[log].from;
    const leaf = at >= 0 ? bundle.logs[log].leaves[at] : bundle.logs[log].outside.find((one) => one.index === index).leaf;
    const record = JSON.parse(leaf);
    for (const [speed, told] of Object.entries({ ...record.speeds, ...(record.unknown ? { unknown: record.unknown } : {}) })) {
      const labels = { device: record.src, subject: record.src, speed };
      if (!Object.entries(wanted).every(([label, values]) => values.includes(labels[label]))) continue;
      if (!Object.entries(group).every(([label, value]) => (labels[label] ?? "") === value)) continue;
      const season = (charge.seasons ?? []).find((one) => inSeason(one, localAt(record.from, zone).day))?.name ?? "";
      const key = [speed, (charge.coils ?? {})[record.src] ?? "", season].join("\u0000");
      seconds.set(key, (seconds.get(key) ?? 0n) + BigInt(told));
    }
  }
  const weightOf = ([speed, coil, season]) => {
    if (speed === "unknown") return charge.unknown_weight ?? "0";
    const none = [null, undefined];
    const fits = (one) => one.speed === speed && [...none, coil].includes(one.coil) && [...none, season].includes(one.season);
    return charge.weights.find(fits)?.weight ?? charge.unlisted_weight ?? "0";
  };
  const rows = [...seconds.keys()].sort().map((key) => {
    const quantity = new Exact(seconds.get(key));
    const weight = weightOf(key.split("\u0000"));
    const hours = quantity.by(HOUR).times(of(weight));
    return { quantity, hours, price: `${weight} x ${charge.unit_price} / 3600`, exact: hours.times(of(charge.unit_price)) };
  });
  return rows.length ? rows : [{ quantity: ZERO, hours: ZERO, price: charge.unit_price, exact: ZERO }];
}

/** The peaks of the buckets, from the events or from a line's own rows. */
function peakRows(context, events) {
  const { charge, line, zone } = context;
  const peaks = new Map();
  for (const one of events?.own ?? []) {
    const name = bucketAt(one.at, charge.bucket ?? "day", zone);
    peaks.set(name, peaks.has(name) ? peaks.get(name).most(one.much) : one.much);
  }
  const sum = [...peaks.values()].reduce((all, one) => all.plus(one), ZERO);
  const quantity = events ? sum : of(line.quantity.value);
  const ratio = ratioFor(context);
  if (charge.tiers_apply === "to_the_sum") return { quantity, rows: priceQuantity(charge, line, quantity, ratio) };
  const rows = [...peaks.keys()].sort().map((name) => {
    const peak = peaks.get(name);
    return { quantity: billed(charge, peak, ratio), exact: total(priceQuantity(charge, line, peak, ratio)) };
  });
  const told = (line.steps ?? []).filter((row) => row.amount && row.quantity);
  return { quantity, rows: events ? rows : told.map((row) => ({ quantity: of(row.quantity), exact: total(tierRows(charge, of(row.quantity))) })) };
}

/** What a line measures and the rows of its price; ``quantity`` undefined: the line's own was taken. */
function usage(context, quantity = undefined) {
  const { charge, line, zone } = context;
  let events = quantity === undefined ? eventsOf(context) : null;
  const ratio = ratioFor(context);
  if (charge.kind === "weighted_runtime") {
    const rows = runtimeRows(context);
    const hours = rows.reduce((sum, row) => sum.plus(row.hours), ZERO);
    return { quantity: hours, rows: [...rows, ...adjusted(charge, hours, of(charge.unit_price), charge.unit_price, ratio)] };
  }
  if (charge.kind === "bucketed_maximum") return peakRows(context, events);
  if (events && charge.kind === "time_of_use") {
    events = { ...events, own: events.own.filter((one) => windowAt(one.at, charge.windows, zone) === line.window) };
  }
  const found = events ? aggregated(events, context) : quantity;
  if (charge.kind === "percentage" || charge.kind === "dynamic") {
    if (!events) return { quantity: found, rows: null };
    if (charge.kind === "percentage") {
      const how = charge.aggregation?.function ?? "sum";
      const each = charge.free_events || (charge.least_per_event ?? charge.most_per_event ?? null) !== null;
      if (how !== "sum" && how !== "count" && !each) return { quantity: found, rows: percentageOfWhole(charge, found, events.own.length, ratio, freeAmount(context)) };
      const amount = (one) => (how === "count" ? ONE : one.much);
      const kept = context.run && charge.free_holds === ONCE ? events.before.filter((one) => one.at >= context.run.span[0]) : [];
      return { quantity: found, rows: percentageRows(charge, events.own.map(amount), ratio, kept.map(amount)) };
    }
    const whole = charge.price_is === "amount" || charge.aggregation?.function === "count";
    const each = (one) => (whole ? of(one.price) : of(one.price).times(one.much));
    const exact = events.own.reduce((sum, one) => sum.plus(each(one)), ZERO).times(of(charge.multiplier ?? "1"));
    return { quantity: found, rows: [{ quantity: found, exact }] };
  }
  return { quantity: found, rows: priceQuantity(charge, line, found ?? of(line.quantity.value), ratio) };
}

/** The exact amount of a fee. */
function fee(context) {
  const { charge, line } = context;
  if (charge.kind === "monthly_fee") {
    const [first, end] = wholePeriod({}, line.first);
    const [days, all] = [number(line.end) - number(line.first), number(end) - number(first)];
    if (line.days !== days || line.month_days !== all) throw new RangeError(`these are ${days} of ${all} days`);
    return of(charge.amount).times(new Exact(BigInt(days), BigInt(all)));
  }
  if (charge.kind === "area") {
    const area = charge.areas.find(
      (one) =>
        one.subject === line.subject && (one.first ?? line.first) <= line.first && line.end <= (one.end ?? line.end) &&
        of(one.m2).equals(of(line.quantity.value)),
    );
    if (!area) throw new RangeError("the terms name no such area");
    const price = (charge.unit_price ?? null) !== null ? of(charge.unit_price) : of(charge.plant_cost).by(of(charge.total_m2));
    return of(area.m2).times(price).times(ratioOf(context));
  }
  return flatFee(context).plus(total(feeDiscounts(context)));
}

const flatFee = (context) => of(context.charge.amount).times(of(context.charge.quantity ?? "1")).times(ratioOf(context));

/** What the discounts take off a fee, which its own rows do not say. */
function feeDiscounts(context) {
  const before = (line) => feeDiscounts(contextOf(context.bundle, line)).map((row) => row.exact);
  return discountRows(context.charge, flatFee(context), ratioFor(context), spentInStretches(context, before));
}

const FEES = ["flat", "monthly_fee", "area"];

function compared(line, rows, exact, quantity) {
  const found = [];
  const much = quantity ?? of(line.quantity.value);
  const each = much.zero ? ZERO : exact.by(much);
  const fits = (price) => line.unit_price === price;
  if (rows && !fits(each.text) && !(rows.length === 1 && fits(rows[0].price))) found.push(`${line.unit_price} is no price of the terms`);
  if (!exact.equals(exactOf(line))) found.push(`the terms give ${exact.text}, not ${line.unrounded}`);
  const told = (line.steps ?? []).filter((row) => row.amount);
  if (!told.length || !rows) return found;
  if (told.length !== rows.length) return [...found, `the terms give ${rows.length} rows, not ${told.length}`];
  for (const [at, row] of told.entries()) {
    const { quantity, price, exact: amount } = rows[at];
    const same = amount.text === row.amount && (!quantity || !row.quantity || quantity.quantity === row.quantity);
    if (price && (row.unit_price ?? "") !== price) found.push(`${row.what}: the price of the terms is ${price}, not ${row.unit_price}`);
    if (!same) found.push(`${row.what}: the terms give ${rows[at].exact.text}, not ${row.amount}`);
  }
  return found;
}

// What only the events and records of an earlier statement could price again; there the rows are added up.
const BY_EVENTS = ["weighted_runtime", "percentage", "dynamic", "bucketed_maximum"];

/** A delta line: what is known now at the price of the terms, less what was billed before. */
function deltaPrice(context) {
  const { charge, line } = context;
  const rows = line.steps ?? [];
  const known = rows.find((row) => row.what === "all that is known now");
  const before = rows.find((row) => row.what === "billed before");
  const sum = rows.reduce((all, row) => all.plus(of(row.quantity)), ZERO);
  const found = sum.quantity === line.quantity.value ? [] : [`the rows come to ${sum.quantity}, not ${line.quantity.value}`];
  const shared = charge.kind === "time_of_use" && (charge.discounts ?? []).some((one) => (one.amount ?? null) !== null);
  const kept = context.run && [charge.free_units, { holds: charge.free_holds }, ...(charge.discounts ?? [])].some((one) => one?.holds === ONCE);
  if (!before || shared || kept || BY_EVENTS.includes(charge.kind) || charge.across_versions === "continue") return found;
  const turned = (text) => (known ? of(text) : ZERO.minus(of(text)));
  const { quantity, amount } = known ?? before;
  if (FEES.includes(charge.kind)) return found;
  const priced = usage(context, turned(quantity)).rows;
  const every = [...priced, ...discountRows(charge, total(priced), ratioFor(context))];
  const exact = total(every);
  const each = turned(quantity).zero ? ZERO : exact.by(turned(quantity));
  if (line.unit_price !== each.text && line.unit_price !== every[0].price) found.push(`${line.unit_price} is no price of the terms`);
  return exact.text === turned(amount).text ? found : [...found, `the terms give ${exact.text} for that, not ${amount}`];
}

export const spanOf = (line) => JSON.stringify([line.version, line.charge, line.belongs_to, line.from ?? 0, line.first, line.group ?? {}]);
export const discountsOf = (line) => (line.steps ?? []).filter((row) => row.what.startsWith("discount ")).map((row) => of(row.amount));

/** What each discount took off the windows before a line's own, as the terms name them: an amount is taken off once. */
function spentBefore(context) {
  const { bundle, charge, line } = context;
  const earlier = spentInStretches(context, discountsOf);
  if (line.kind !== "time_of_use") return earlier;
  const names = [...charge.windows.rules.map((one) => one.window), charge.windows.otherwise ?? "other"];
  const place = (one) => names.indexOf(one.window);
  const alike = bundle.statement.lines.filter((one) => one.kind === line.kind && !one.corrects && spanOf(one) === spanOf(line));
  const before = alike.filter((one) => place(one) < place(line));
  const taken = before.map(discountsOf);
  return earlier.map((one, at) => taken.reduce((sum, rows) => sum.minus(rows[at] ?? ZERO), one));
}

/** What is wrong with one line of usage or of a fee. */
export function linePrice(bundle, line) {
  const context = contextOf(bundle, line);
  const { charge } = context;
  if (!charge || charge.kind !== line.kind) return ["the terms have no such charge"];
  if (line.corrects) return deltaPrice(context);
  if (FEES.includes(charge.kind)) {
    const each = charge.amount ?? charge.unit_price ?? charge.plant_cost;
    const much = { flat: charge.quantity ?? "1", monthly_fee: `${line.days}` }[charge.kind] ?? line.quantity.value;
    const other = line.unit_price !== each || !of(much).equals(of(line.quantity.value));
    return [...(other ? [`the terms give ${much} at ${each}`] : []), ...compared(line, null, fee(context))];
  }
  if (charge.across_versions === "continue" && bundle.versions.length > 1) return [];
  const { quantity, rows } = usage(context);
  const found = quantity && quantity.quantity !== line.quantity.value ? [`the records give ${quantity.quantity}, not ${line.quantity.value}`] : [];
  if (!rows) return found;
  const every = [...rows, ...discountRows(charge, total(rows), ratioFor(context), spentBefore(context))];
  return [...found, ...compared(line, every, total(every), quantity)];
}

/** Everything that differs from the terms. */
export function reprice(bundle, wrong) {
  for (const line of bundle.statement.lines) {
    if (OWN_BOUND.includes(line.effect)) continue;
    try {
      for (const what of linePrice(bundle, line)) wrong(what, line.no);
    } catch (error) {
      wrong(error.message, line.no);
    }
  }
}
