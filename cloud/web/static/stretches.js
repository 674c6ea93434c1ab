// A period in which the price changes: its stretches, and what those before a line used up of what is there once for
// all of them: free units, discounts of an amount, free events.

import { midnight } from "./clock.js";
import { Exact } from "./exact.js";
import { ZERO, converted } from "./pricing.js";

const of = (text) => Exact.of(text ?? "0");
export const ONCE = "for_the_period";
const NO_USAGE = ["monthly_fee", "area", "per_piece", "energy", "commitment", "progressive_billing"];

const alike = (a, b, none) => JSON.stringify(a ?? none) === JSON.stringify(b ?? none);
const meet = (a, b) => !a?.length || !b?.length || a.some((one) => b.includes(one));

/** Whether two versions' charges at one position are the same charge at another price: they measure the same. */
function sameCharge(one, other) {
  if (!one || !other || [one, other].some(({ kind }) => NO_USAGE.includes(kind))) return false;
  if (one.kind === "flat" || other.kind === "flat") return one.kind === other.kind;
  const [a, b] = [one.source ?? {}, other.source ?? {}];
  const names = { measure: "quantity", types: [], where: {}, group_by: [], unit: "unit" };
  if (!Object.entries(names).every(([name, none]) => alike(a[name], b[name], none))) return false;
  const [how, otherHow] = [one.aggregation ?? {}, other.aggregation ?? {}];
  return meet(a.devices, b.devices) && meet(a.subjects, b.subjects) && alike(how.function, otherHow.function, "sum") && alike(how.of, otherHow.of, null);
}

const read = new WeakMap();

/** The versions of a bundle with their terms and from when on they count: read once. */
export function versionsOf(bundle) {
  if (!read.has(bundle)) {
    const begins = (first, { effective_at: at, zone }) => (at ? Date.parse(at) : midnight(first, zone));
    const told = bundle.versions.map(({ version, first, terms }) => ({ version, first, terms: JSON.parse(terms) }));
    read.set(bundle, { told: told.map((one) => ({ ...one, begins: begins(one.first, one.terms) })), runs: new Map() });
  }
  return read.get(bundle).told;
}

/** The stretches, in a row with a line's own, of the same charge: null where it stands alone. */
export function runOf(context) {
  const { bundle, line, period } = context;
  const name = [line.version, line.charge, period.from_ms, period.to_ms].join();
  const told = versionsOf(bundle);
  const { runs } = read.get(bundle);
  if (!runs.has(name)) runs.set(name, foundRun(told, line, period));
  return runs.get(name);
}

function foundRun(told, line, period) {
  const versions = told.map((one, at) => ({
    version: one.version,
    charge: one.terms.charges[line.charge],
    from: Math.max(one.begins, period.from_ms),
    to: Math.min(told[at + 1]?.begins ?? period.to_ms, period.to_ms),
  }));
  const spans = versions.filter((one) => one.from < one.to);
  const own = spans.findIndex((one) => one.version === line.version);
  if (own < 0) return null;
  let [first, last] = [own, own];
  while (first > 0 && sameCharge(spans[first - 1].charge, spans[first].charge)) first -= 1;
  while (last + 1 < spans.length && sameCharge(spans[last].charge, spans[last + 1].charge)) last += 1;
  if (first === last) return null;
  return { stretches: spans.slice(first, last + 1), before: spans.slice(first, own), span: [spans[first].from, spans[last].to], last: spans[last] };
}

const groupOf = (line) => JSON.stringify([line.charge, line.belongs_to, line.group ?? {}]);
const isUsage = (line) => ["usage", "credit", "fixed"].includes(line.effect) && !line.corrects;

/** A line's fellows in one stretch. */
const linesOf = ({ bundle, line }, stretch) =>
  bundle.statement.lines.filter((one) => isUsage(one) && one.version === stretch.version && groupOf(one) === groupOf(line));

/** The free units, or the free amount, that the stretches before left; undefined where they do not hold once. */
export function leftOf(context, wanted) {
  const { charge, run } = context;
  if (!run || wanted(charge)?.holds !== ONCE) return undefined;
  let used = ZERO;
  for (const stretch of run.before) {
    const limit = wanted(stretch.charge);
    if (limit?.holds !== ONCE) continue;
    const left = context.amount(limit, stretch).minus(used).most(ZERO);
    const measured = linesOf(context, stretch).reduce((sum, one) => sum.plus(context.measured(one, limit)), ZERO);
    const much = limit.when === "after_conversion" ? converted(stretch.charge, measured) : measured;
    used = used.plus(left.least(much.most(ZERO)));
  }
  return context.amount(wanted(charge), null).minus(used).most(ZERO);
}

/** What the discounts took off in the stretches before, by place; `rows`: the amounts that they made less on a line. */
export function spentInStretches(context, rows) {
  const { charge, run } = context;
  const spent = (charge.discounts ?? []).map(() => ZERO);
  for (const stretch of run?.before ?? []) {
    for (const line of linesOf(context, stretch)) {
      for (const [at, off] of rows(line).entries()) {
        if (at < spent.length && (stretch.charge.discounts?.[at]?.amount ?? null) !== null) spent[at] = spent[at].minus(off);
      }
    }
  }
  return spent.map((one, at) => (charge.discounts[at].holds === ONCE ? one : ZERO));
}

/** Whether a bound is worked out after the last stretch, over all of them. */
export const waits = (run, charge, effect) =>
  Boolean(run) && charge[effect]?.holds === ONCE && (!run.last.charge[effect] || run.last.charge[effect].holds === ONCE);
