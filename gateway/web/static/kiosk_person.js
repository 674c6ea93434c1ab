// What a person does: one item, its outcome, something that was wrong, and what is his to give back or to fetch.

import { fresh } from "./kiosk_api.js";
import { pad } from "./kiosk_idle.js";
import { bare } from "./kiosk_label.js";
import { now, offers, put, show, single, step } from "./kiosk_screen.js";
import { name, stock, tone } from "./kiosk_tiles.js";
import { day, part, view, word } from "./kiosk_words.js";

// What fits above the buttons: three on a low screen.
const LOW = 540;
const SIGNS = {
  confirmed: ["✓", "good"], lent: ["✓", "good"], brought_back: ["✓", "good"], returned: ["✓", "good"], reported: ["✓", "good"],
  picked_up: ["✓", "good"], used_taken: ["✓", "good"], used_missing: ["✓", "good"], counted: ["✓", "good"], refilled: ["✓", "good"], decided: ["✓", "good"], not_dispensed: ["!", "warn"], not_taken: ["!", "warn"],
  void: ["!", "warn"], unverified: ["?", "warn"], busy: ["…", "warn"], jammed: ["✕", "bad"], refused: ["✕", "bad"],
};

function account(root) {
  const { jobs = [], cost_centres: centres = [], cost_centre: mine } = now.session;
  const place = part(root, "account");
  place.hidden = jobs.length + centres.length < 2 && !jobs.length;
  const choices = part(root, "choices");
  const option = (value, text, chosen) => {
    const one = new Option(text, value, chosen, chosen);
    choices.append(one);
  };
  if (!mine) option("", word("for-none"), true);
  for (const one of centres) option(`c ${one.id}`, one.name, one.id === mine);
  for (const one of jobs) option(`j ${one.id}`, one.name, false);
  if (now.session.chosen) choices.value = now.session.chosen;
  return () => {
    const value = choices.value;
    if (!value || place.hidden) return {};
    now.session.chosen = value;
    return value.startsWith("j ") ? { job: value.slice(2) } : { cost_centre: value.slice(2) };
  };
}

function limits(slot) {
  const one = slot.limit;
  if (!one) return "";
  const used = word(`limit-${one.period}`, { used: one.used, quantity: one.quantity });
  return slot.left ? `${used}. ${word("left", { count: slot.left })}` : used;
}

export function item(kiosk, slot) {
  show("item", (root) => {
    put(root, "slot", word("slot", { slot: slot.slot }));
    put(root, "heading", name(slot));
    part(root, "word").textContent = stock(slot);
    part(root, "stock").dataset.tone = tone(slot);
    // A limit that refuses says its numbers itself.
    put(root, "limit", slot.allowed ? limits(slot) : "");
    put(root, "refusal", slot.allowed ? "" : slot.sentence);
    put(root, "ask", slot.allowed ? "" : slot.ask);
    const chosen = account(root);
    const loan = slot.mode === "loan";
    const numbered = slot.serials !== null && slot.allowed;
    const serials = part(root, "serials");
    part(root, "numbered").hidden = !numbered || slot.serials.length < 2;
    if (numbered) serials.append(...slot.serials.map((one) => new Option(one, one)));
    const most = loan || numbered ? 1 : Math.max(1, Math.min(slot.most ?? 99, slot.left ?? 99, slot.on_hand > 0 ? slot.on_hand : 99, slot.capacity || 99));
    const deed = part(root, "deed");
    const said = (count) => { deed.textContent = loan ? word("borrow") : word("take", { count }); };
    const stepper = part(root, "stepper");
    const steps = step(stepper, { least: 1, most, at: 1 }, said);
    stepper.hidden = !slot.allowed || most === 1;
    deed.hidden = !slot.allowed;
    if (!slot.allowed) part(root, "account").hidden = true;
    if (slot.waiting) {
      // Put by for whoever stands here.
      put(root, "refusal", "");
      put(root, "ask", "");
      deed.hidden = false;
      deed.textContent = word("pick-up");
      deed.addEventListener("click", () => kiosk.deed("pickups", { session: now.session.session, id: slot.waiting }, slot.slot));
      return;
    }
    const others = slot.allowed ? [] : now.slots.filter((one) => one.item === slot.item && one.slot !== slot.slot && one.allowed);
    offers(root, others.map((one) => one.slot), (other) => item(kiosk, now.slots.find((one) => one.slot === other)));
    if (slot.used) used(kiosk, root, slot);
    deed.addEventListener("click", () => {
      const body = { session: now.session.session, slot: slot.slot, ...chosen() };
      const give = (more) => kiosk.deed(loan ? "loans" : "draws", { ...body, ...more }, slot.slot);
      if (!numbered) return give(loan ? {} : { quantity: steps.count() });
      if (serials.value) return give({ serial: serials.value });
      return pad(kiosk, "serial", (serial) => give({ serial: bare(serial) }), { letters: true, back: () => item(kiosk, slot) });
    });
  });
}

// Used goods go first: they cost nothing, and nobody but whoever looks into the box knows that they are there.
function used(kiosk, root, slot) {
  const say = sender(kiosk, "used", { slot: slot.slot });
  const place = part(root, "offers");
  place.dataset.row = "";
  place.replaceChildren(...[[word("use-again", { count: slot.used }), 1], [word("no-used"), 0]].map(([text, quantity]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => say({ quantity }));
    return button;
  }));
  place.hidden = false;
}

export function outcome(kiosk, told, { leave = false, again = true } = {}) {
  const [sign, tone] = SIGNS[told.outcome] ?? ["!", "warn"];
  show("result", (root) => {
    const shown = put(root, "sign", sign);
    shown.dataset.tone = tone;
    put(root, "heading", told.sentence);
    const slot = now.slots.find((one) => one.slot === told.slot);
    const pieces = told.qty > 0 && slot ? word("pieces", { count: told.qty, name: name(slot) }) : "";
    put(root, "what", pieces);
    put(root, "ask", told.ask);
    offers(root, leave ? [] : told.offer ?? [], (other) => {
      const found = now.slots.find((one) => one.slot === other);
      if (found) item(kiosk, found);
      else kiosk.map();
    });
    part(root, "again").hidden = leave || !again;
    if (leave) part(root, "done").dataset.go = "back";
    const wrong = part(root, "report");
    wrong.hidden = leave || !told.record || !["confirmed", "unverified", "picked_up", "lent"].includes(told.outcome);
    wrong.addEventListener("click", () => report(kiosk, told.record));
  });
  if (leave) setTimeout(() => now.view === "result" && !now.session && kiosk.go("back"), 8000);
}

export function report(kiosk, record) {
  const say = sender(kiosk, "reports", { record });
  show("report", (root) => {
    for (const button of root.querySelectorAll("[data-what]")) button.addEventListener("click", () => say({ what: button.dataset.what }));
  });
}

// One deed of this view, whichever button says it.
function sender(kiosk, name, what) {
  const body = { session: now.session.session, request: fresh(), ...what };
  return single(async (more) => {
    const told = await kiosk.api.sure(name, { ...body, ...more }).catch(kiosk.over);
    if (told) outcome(kiosk, told);
  });
}

export async function mine(kiosk, from = 0) {
  const told = await kiosk.api.mine(now.session.session).catch(kiosk.over);
  if (!told) return;
  const zone = now.state?.zone;
  const rows = [
    ...told.questions.map((one) => ({
      one, when: word(one.overdue ? "unproven-late" : "unproven", { day: day(one.at_ms, zone) }), tone: one.overdue ? "bad" : "warn", text: word("decide"), act: () => decide(kiosk, one),
    })),
    ...told.waiting.map((one) => ({ one, when: word("put-by"), text: word("pick-up"), act: () => kiosk.deed("pickups", { session: now.session.session, id: one.id }, one.slot) })),
    ...told.loans.map((one) => ({
      one, when: one.due_ms ? word(one.overdue ? "overdue" : "back-by", { day: day(one.due_ms, zone) }) : "", tone: one.overdue ? "bad" : "",
      text: word("bring-back"), act: () => giveBack(kiosk, one, true),
    })),
    ...told.draws.map((one) => ({ one, when: word("taken-at", { day: day(one.at_ms, zone) }), text: word("return"), act: () => giveBack(kiosk, one, false) })),
  ];
  const each = innerHeight < LOW ? 3 : 4;
  show("mine", (root) => {
    part(root, "rows").replaceChildren(...rows.slice(from, from + each).map((row) => line(row)));
    part(root, "nothing").hidden = rows.length > 0;
    const more = part(root, "more");
    more.hidden = rows.length <= each;
    more.addEventListener("click", () => mine(kiosk, from + each < rows.length ? from + each : 0));
  });
}

// Its owner has looked into the slot; that he did is what his verdict stands on.
function decide(kiosk, one) {
  const say = sender(kiosk, "verdicts", { record: one.record, evidence: "looked into the slot at the cabinet" });
  show("decide", (root) => {
    put(root, "what", `${word("slot", { slot: one.slot })} · ${word("pieces", { count: one.qty, name: one.name })}`);
    for (const button of root.querySelectorAll("[data-outcome]")) button.addEventListener("click", () => say({ outcome: button.dataset.outcome }));
  });
}

function line({ one, when, text, act, tone: colour }) {
  const made = view("row").firstElementChild;
  part(made, "name").textContent = word("pieces", { count: one.qty, name: one.name || one.item });
  const told = part(made, "when");
  told.textContent = when;
  if (colour) told.dataset.tone = colour;
  const button = part(made, "deed");
  button.textContent = text;
  button.addEventListener("click", act);
  return made;
}

function giveBack(kiosk, one, loan) {
  const bring = sender(kiosk, loan ? "loan-returns" : "returns", { record: one.record });
  show("return", (root) => {
    put(root, "slot", word("slot", { slot: one.slot }));
    put(root, "heading", one.name || one.item);
    put(root, "hint", word(loan ? "loan-where" : "return-where"));
    const stepper = part(root, "stepper");
    const steps = step(stepper, { least: 1, most: one.qty, at: one.qty });
    stepper.hidden = loan || one.qty === 1;
    for (const button of root.querySelectorAll("[data-condition]")) {
      const { condition } = button.dataset;
      button.addEventListener("click", () => bring(loan ? { condition } : { condition, quantity: steps.count() }));
    }
  });
}
