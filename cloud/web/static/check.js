// Checks an evidence bundle without the server: signatures, trees, chain, sums, and each line's own arithmetic.
//
// Every charge of the terms is priced again (reprice.js): tiers, windows of the clock, running time, percentages, fees,
// minimum and maximum. What it takes from the statement is what only `tally-verify` follows to the records: which draws
// and readings make a quantity, and which events the terms' rules of validity refuse.

import { Exact } from "./exact.js";
import { among, cloudKeys, cosigned, logKeys, openStatement, signedPoint } from "./keys.js";
import { boundsOf } from "./bounds.js";
import { reprice } from "./reprice.js";
import { bytes, carries, continues, cosignedAt, extend, hex, leafHash, readKey, root, sha256, unhex } from "./seal.js";

/** JSON with sorted keys and nothing between: the bytes that are hashed. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

const digest = async (value) => hex(await sha256(bytes(canonical(value))));

/** Everything that is wrong: ``{line, what}``, line 0 for none. ``known``: a gateway's key from its label, or ""; one
 * that was followed by others leads to them.
 */
export async function check(bundle, known = "") {
  const findings = [];
  const wrong = (what, line = 0) => findings.push({ line, what });
  const steps = [
    () => sealed(bundle, wrong),
    () => chained(bundle, wrong),
    () => termed(bundle, wrong),
    () => logged(bundle, known, wrong),
    () => witnessed(bundle, wrong),
    () => shown(bundle, wrong),
    () => counted(bundle, wrong),
  ];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      wrong(error.message);
    }
  }
  return [...findings, ...arithmetic(bundle)];
}

/** What is wrong with prices, products, sums and rounding alone: as if every signature were right. */
export function arithmetic(bundle) {
  const findings = [];
  const wrong = (what, line = 0) => findings.push({ line, what });
  for (const step of [totalled, priced, reprice, boundsOf]) {
    try {
      step(bundle, wrong);
    } catch (error) {
      wrong(error.message);
    }
  }
  for (const line of bundle.statement.lines) {
    try {
      worked(line, bundle, wrong);
    } catch (error) {
      wrong(error.message, line.no);
    }
  }
  return findings;
}

async function sealed({ keys, statement }, wrong) {
  const { head } = statement;
  const hash = await digest(head);
  if (hash !== statement.hash) wrong("the statement's hash is not that of its head");
  const text = await openStatement(statement.note, await cloudKeys(keys), Math.floor(head.cutoff_at / 1000));
  if (text !== `${head.format}\n${head.agreement_id} ${head.number}\n${hash}\n`) wrong("the note is about another statement");
  if ((await digest(statement.lines)) !== head.lines_hash) wrong("the lines are not those that were signed");
  if ((await digest(statement.unbilled)) !== head.unbilled_hash) wrong("what was not billed is not what was signed");
}

async function chained({ previous, statement }, wrong) {
  let before = null;
  for (const head of [...previous, statement.head]) {
    if (before !== null && head.prev_hash !== before) wrong(`statement ${head.number} does not follow the one before`);
    before = await digest(head);
  }
}

async function termed({ versions, statement }, wrong) {
  for (const stated of statement.head.versions) {
    const found = versions.find((one) => one.version === stated.version);
    if (!found || found.first !== stated.first || hex(await sha256(bytes(found.terms))) !== stated.terms_hash) {
      wrong(`the terms of version ${stated.version} are not those that were agreed on`);
    }
  }
}

function totalled({ statement: { head, lines } }, wrong) {
  const total = lines.reduce((sum, line) => sum.plus(Exact.of(line.amount)), new Exact(0n));
  if (!total.equals(Exact.of(head.total))) wrong(`the lines do not come to ${head.total}`);
  if (lines.some((line, at) => line.no !== at + 1)) wrong("the lines are not numbered 1, 2, 3");
}

async function logged({ keys, logs, statement }, known, wrong) {
  const cloud = await cloudKeys(keys);
  for (const [at, stated] of statement.head.logs.entries()) {
    const log = logs[at];
    const gateway = await logKeys(log, cloud);
    if (log.origin !== stated.origin) wrong(`log ${stated.origin}: the key is another gateway's`);
    if (known && !(await among(gateway, known))) wrong(`log ${stated.origin}: the key is not the one on the label`);
    const hashes = await Promise.all(log.leaves.map((leaf) => (typeof leaf === "string" ? leafHash(leaf) : unhex(leaf.hash))));
    if (hashes.length !== stated.to - stated.from) wrong(`log ${stated.origin}: records are missing`);
    let tree = { size: stated.from, peaks: log.frontier.map(unhex) };
    for (const [place, receipt] of stated.receipts.entries()) {
      const more = hashes.slice(tree.size - stated.from, receipt.size - stated.from);
      tree = await extend(tree.size, tree.peaks, more);
      const point = await signedPoint(log.notes[place], gateway);
      const seconds = await cosigned(log.notes[place], cloud);
      const fits = point.origin === stated.origin && point.size === receipt.size && seconds === receipt.seconds;
      if (!fits || point.root !== (await root(tree.peaks))) {
        wrong(`log ${stated.origin}: the records are not those that the gateway signed at size ${receipt.size}`);
      }
    }
    if (tree.size !== stated.to || (await root(tree.peaks)) !== stated.root) {
      wrong(`log ${stated.origin}: the root is not the one in the statement`);
    }
  }
}

/** What outside witnesses cosigned continues each log, and as many are there as the agreement demands. */
async function witnessed({ keys, logs, statement, versions }, wrong) {
  const demanded = JSON.parse(versions[versions.length - 1].terms).witnesses;
  const named = await Promise.all((demanded?.keys ?? []).map(readKey));
  const cloud = await cloudKeys(keys);
  for (const [at, stated] of statement.head.logs.entries()) {
    const gateway = await logKeys(logs[at], cloud);
    const seen = new Set();
    for (const { note, path } of logs[at].witnessed ?? []) {
      const point = await signedPoint(note, gateway);
      if (stated.to && !(await continues(stated.to, point.size, path, stated.root, point.root))) {
        wrong(`log ${stated.origin}: what a witness cosigned is another log`);
      }
      for (const key of named.filter((one) => carries(note, one))) {
        await cosignedAt(note, key);
        seen.add(key.vkey);
      }
    }
    if (demanded && stated.to && seen.size < demanded.at_least) {
      wrong(`log ${stated.origin}: ${demanded.at_least} of the agreed witnesses must have cosigned it, ${seen.size} have`);
    }
  }
}

/** The counted events from outside, against the root that the statement names. */
async function counted({ events = [], statement }, wrong) {
  const stated = statement.head.events;
  const tree = await extend(0, [], await Promise.all(events.map((event) => leafHash(canonical(event)))));
  if (!stated && events.length) wrong("the statement says nothing of counted events");
  if (stated && (events.length !== stated.count || (await root(tree.peaks)) !== stated.root)) {
    wrong("the counted events are not those that the statement names by their root");
  }
}

function shown({ logs, statement }, wrong) {
  for (const line of statement.lines) {
    for (const { log, index } of line.leaves) {
      const stated = statement.head.logs[log];
      const inside = stated && index >= stated.from && index < stated.to;
      const leaf = inside ? logs[log].leaves[index - stated.from] : logs[log]?.outside.find((one) => one.index === index)?.leaf;
      if (typeof leaf !== "string") wrong(`record ${index} of log ${log + 1} is not shown`, line.no);
    }
  }
}

const PLAIN = /^-?\d+(\.\d+)?$/;

/** The prices a charge allows for a line: of its item, its window of the clock, its tiers; null where others apply. */
function pricesOf(charge, line) {
  if (charge.kind === "per_piece") return [charge.prices[line.subject]];
  if (charge.kind === "energy" || charge.kind === "standard") return [charge.unit_price];
  if (charge.kind === "time_of_use") return [charge.prices[line.window]];
  if (charge.kind === "graduated" || charge.kind === "volume") return charge.tiers.map((tier) => tier.unit_price);
  return null;
}

/** Each line and row at a price of the terms, and each row its quantity times that price. */
function priced({ versions, statement }, wrong) {
  for (const line of statement.lines) {
    const terms = versions.find((one) => one.version === line.version);
    const charge = terms && JSON.parse(terms.terms).charges[line.charge];
    if (!charge || !["usage", "credit"].includes(line.effect) || line.kind !== charge.kind) continue;
    const prices = pricesOf(charge, line)?.filter((price) => price !== undefined && price !== null);
    if (!prices) continue;
    const allowed = (price) => prices.some((one) => Exact.of(one).equals(Exact.of(price)));
    const rows = (line.steps ?? []).filter((row) => PLAIN.test(row.unit_price ?? "") && PLAIN.test(row.quantity ?? ""));
    if (!(line.steps ?? []).some((row) => row.amount) && !allowed(line.unit_price)) wrong(`${line.unit_price} is no price of the terms`, line.no);
    for (const row of rows.filter((one) => one.amount)) {
      if (!allowed(row.unit_price)) wrong(`${row.unit_price} is no price of the terms`, line.no);
      const product = Exact.of(row.quantity).times(Exact.of(row.unit_price));
      const ends = (row.amount.split(".")[1] ?? "").length < 12;
      const turned = new Exact(0n).minus(product);
      if (ends && !product.equals(Exact.of(row.amount)) && !turned.equals(Exact.of(row.amount))) {
        wrong(`${row.what}: ${row.quantity} \u00d7 ${row.unit_price} is not ${row.amount}`, line.no);
      }
    }
  }
}

/** A line's own arithmetic: registers to quantity, quantity and price (or its rows) to the exact amount, then rounding. */
function worked(line, { statement: { head }, versions }, wrong) {
  const exact = Exact.of(line.exact || line.unrounded);
  const digits = (line.amount.split(".")[1] ?? "").length;
  const terms = head.versions.find((one) => one.version === line.version);
  if (!terms) wrong("the line names a version the statement does not stand on", line.no);
  const place = JSON.parse(versions.find((one) => one.version === line.version).terms).rounding?.place ?? "line";
  // A delta is the difference of two rounded amounts, not the rounded difference. Lines that are rounded together have
  // a share of their sum, at most a unit away.
  const wide = line.corrects ? 1n : place === "line" ? 0n : 1n;
  const unit = new Exact(1n, 10n ** BigInt(digits));
  const off = exact.minus(Exact.of(line.amount));
  const far = !off.negative ? unit.less(off) : off.less(new Exact(0n).minus(unit));
  if (wide ? far : exact.rounded(digits, line.rounding) !== line.amount) {
    wrong(`${line.unrounded} rounded (${line.rounding}) is not ${line.amount}`, line.no);
  }
  if (exact.text !== line.unrounded) wrong(`${line.exact} is not ${line.unrounded}`, line.no);
  const rows = (line.steps ?? []).filter((row) => row.amount);
  if (rows.length) {
    const sum = rows.reduce((total, row) => total.plus(Exact.of(row.amount)), new Exact(0n));
    if (!line.exact && !sum.equals(exact)) wrong(`the rows do not come to ${line.unrounded}`, line.no);
  } else if (line.effect === "usage" && !line.month_days && !(line.steps ?? []).length) {
    const product = Exact.of(line.quantity.value).times(Exact.of(line.unit_price));
    if (!product.equals(exact)) wrong(`${line.quantity.value} \u00d7 ${line.unit_price} is not ${line.unrounded}`, line.no);
  }
}
