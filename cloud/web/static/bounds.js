// Minimum and maximum of a charge or of several charges, worked out again from a statement's lines and the terms: the
// lines that are due, and no others; also where the price changes inside the period and they hold once for all of it.

import { Exact } from "./exact.js";
import { ZERO } from "./pricing.js";
import { OWN_BOUND, contextOf, discountsOf, exactOf, ratioOf, spanOf } from "./reprice.js";
import { ONCE, versionsOf, waits } from "./stretches.js";

const of = (text) => Exact.of(text ?? "0");
const ONE = new Exact(1n);

/** What a bound looks at: `gross` where it applies before discounts, else the lines, rounded or not. */
function boundsBase(charge, covered) {
  if (charge.bounds_apply !== "before_discounts") return { rounded: true };
  const taken = (line) => discountsOf(line).reduce((sum, one) => sum.plus(one), ZERO);
  return { rounded: false, gross: covered.reduce((sum, line) => sum.plus(exactOf(line)).minus(taken(line)), ZERO) };
}

/** Charges of which the price changes inside the period, each group of them: with all their lines, and the bounds that hold
 * once for all stretches. */
function runsOf(bundle, own) {
  const groupOf = (line) => JSON.stringify([line.charge, line.belongs_to, line.group ?? {}]);
  const found = new Map();
  for (const line of own.filter((one) => ["usage", "credit"].includes(one.effect))) {
    const { run } = contextOf(bundle, line);
    const name = run && JSON.stringify([groupOf(line), run.span]);
    if (name && !found.has(name)) found.set(name, { run, line });
  }
  return [...found.values()].map(({ run, line }) => {
    const mine = own.filter((one) => groupOf(one) === groupOf(line) && run.stretches.some(({ version }) => version === one.version));
    const keys = new Set(mine.filter((one) => !OWN_BOUND.includes(one.effect)).map(spanOf));
    const bounded = mine.filter((one) => !keys.has(spanOf(one)));
    const last = { ...line, version: run.last.version, from: run.span[0], to: run.span[1] };
    return { context: contextOf(bundle, last), covered: mine.filter((one) => keys.has(spanOf(one))), bounded };
  });
}

/** Minimum and maximum of a charge or of several: the lines that are due, and no others. */
export function boundsOf(bundle, wrong) {
  const { lines } = bundle.statement;
  const own = lines.filter((line) => !line.corrects);
  const isBound = (line) => OWN_BOUND.includes(line.effect);
  const key = spanOf;
  const spent = new Set();
  const compare = (context, covered, bounded, ratio, bounds, effects = OWN_BOUND) => {
    const byLine = (context.agreement.rounding?.place ?? "line") === "line" && bounds.rounded;
    const due = bounds.gross ?? covered.reduce((sum, line) => sum.plus(byLine ? of(line.amount) : exactOf(line)), ZERO);
    for (const effect of effects) {
      const bound = context.charge[effect];
      const told = bounded.find((line) => line.effect === effect);
      const missing = bound ? of(bound.amount).times(bound.prorated ? ratio() : ONE).minus(due) : ZERO;
      const wanted = bound && (effect === "minimum" ? !missing.negative && !missing.zero : missing.negative);
      if (told) spent.add(told.no);
      if (wanted && !told) wrong(`the ${effect} of ${bound.amount} is left out`, covered[0]?.no ?? 0);
      if (told && !wanted) wrong(`no ${effect} is due here`, told.no);
      else if (told && (!missing.equals(exactOf(told)) || told.unit_price !== missing.text || told.quantity.value !== "1")) wrong(`the terms give ${missing.text}, not ${told.unrounded}`, told.no);
    }
  };
  for (const group of new Set(own.filter((line) => ["usage", "credit"].includes(line.effect)).map(key))) {
    const covered = own.filter((line) => key(line) === group && !isBound(line));
    const context = contextOf(bundle, covered[0]);
    const { charge } = context;
    if (!charge || (!charge.minimum && !charge.maximum)) continue;
    const effects = OWN_BOUND.filter((effect) => !waits(context.run, charge, effect));
    const bounded = own.filter((line) => isBound(line) && key(line) === group);
    compare(context, covered, bounded, () => ratioOf(context), boundsBase(charge, covered), effects);
  }
  for (const run of runsOf(bundle, own)) {
    const { context, covered, bounded } = run;
    const effects = OWN_BOUND.filter((effect) => context.charge[effect]?.holds === ONCE);
    compare(context, covered, bounded, () => ratioOf(context), boundsBase(context.charge, covered), effects);
  }
  const newest = versionsOf(bundle).at(-1);
  for (const [at, charge] of newest.terms.charges.entries()) {
    if (charge.kind !== "commitment") continue;
    for (const label of new Set(own.map((line) => line.belongs_to))) {
      const commits = (line) => isBound(line) && contextOf(bundle, line).charge?.kind === "commitment";
      const mine = own.filter((line) => line.belongs_to === label);
      const bounded = mine.filter((line) => commits(line) && line.charge === at);
      const covered = mine.filter((line) => !(commits(line) && line.charge >= at) && (!charge.covers || charge.covers.includes(line.charge)));
      if (label && !bounded.length) continue;
      const like = bounded[0] ?? { version: newest.version, charge: at, belongs_to: label, ...bundle.statement.head.period };
      compare(contextOf(bundle, like), covered, bounded, () => ratioOf(contextOf(bundle, like)), { rounded: true });
    }
  }
  for (const line of own) if (isBound(line) && !spent.has(line.no)) wrong("no such minimum or maximum is due", line.no);
}
