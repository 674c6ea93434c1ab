// Refilling at the cabinet: which slots want what, what was found, filled, removed and spoiled; and the end of the visit.

import { fresh } from "./kiosk_api.js";
import { now, put, show, single, step, top } from "./kiosk_screen.js";
import { label } from "./kiosk_label.js";
import { lay, name } from "./kiosk_tiles.js";
import { part, word } from "./kiosk_words.js";

const done = new Map();
let visit = null;
let page = 0;

export async function refill(kiosk, deed = "") {
  if (deed === "close") return close(kiosk);
  if ((!visit || visit.session !== now.session.session) && !await begin(kiosk)) return null;
  top("bar-service", (bar) => put(bar, "who", word("visit", { cabinet: kiosk.api.cabinet })));
  show("refill", (root) => lay(root, visit.pick, page, wanted, (slot) => fill(kiosk, slot), (to) => { page = to; refill(kiosk); }));
  return null;
}

const begin = single(async (kiosk) => {
  const told = await kiosk.api.deed("visits", { session: now.session.session }).catch(kiosk.over);
  if (told && told.outcome !== "open") kiosk.outcome(told);
  if (told?.outcome !== "open") return false;
  visit = told;
  done.clear();
  page = 0;
  kiosk.watch.begin(600);
  return true;
});

function wanted(one) {
  if (done.has(one.slot)) return { text: `✓ ${word("done-slot")}`, closed: false };
  return { text: one.quantity ? word("to-fill", { count: one.quantity }) : word("nothing-to-fill"), closed: false };
}

function fill(kiosk, slot, work = { found: null, filled: slot.quantity, removed: 0, spoiled: 0, full: false, lot: "", expires: "", serials: [] }) {
  let { full } = work;
  let request = fresh();
  show("fill", (root) => {
    put(root, "slot", word("slot", { slot: slot.slot }));
    put(root, "heading", name(slot));
    const facts = { on_hand: slot.on_hand, capacity: slot.capacity, count: slot.quantity };
    put(root, "plan", word(slot.on_hand === null ? "plan-unknown" : "plan", facts));
    put(root, "order", slot.order ? word("order", { order: slot.order }) : "");
    put(root, "error", "");
    const numbered = slot.needs.includes("serial");
    const most = Math.max(99, slot.capacity * 2);
    const counts = {};
    for (const group of root.querySelectorAll("[data-count]")) {
      const what = group.dataset.count;
      counts[what] = step(group, { least: 0, most, at: what === "filled" && numbered ? work.serials.length : work[what] });
    }
    const now_so = () => ({ ...work, full, ...Object.fromEntries(Object.entries(counts).map(([what, one]) => [what, one.count()])) });
    const says = part(root, "label");
    says.hidden = !slot.needs.length;
    says.textContent = numbered ? word("label-serials", { count: work.serials.length }) : work.lot || word("label");
    says.addEventListener("click", () => label(kiosk, slot, now_so(), (made) => fill(kiosk, slot, made)));
    const whole = part(root, "full");
    whole.setAttribute("aria-pressed", full);
    whole.addEventListener("click", () => {
      full = !full;
      whole.setAttribute("aria-pressed", full);
    });
    part(root, "door").addEventListener("click", async () => {
      const told = await kiosk.api.door(visit.visit, { session: now.session.session, slot: slot.slot }).catch(kiosk.over);
      if (told && told.outcome === "refused") put(root, "error", told.sentence);
    });
    part(root, "save").addEventListener("click", single(async () => {
      const found = counts.found.count();
      const body = { session: now.session.session, request, slot: slot.slot, full, ...(found === null ? {} : { found }) };
      for (const what of ["filled", "removed", "spoiled"]) body[what] = counts[what].count();
      if (work.lot) body.lot = work.lot;
      if (work.expires) body.expires = work.expires;
      if (work.serials.length) body.serials = work.serials;
      const told = await kiosk.api.fill(visit.visit, body).catch(kiosk.over);
      if (!told) return;
      request = fresh();
      if (told.outcome !== "refilled") return put(root, "error", `${told.sentence} ${told.ask ?? ""}`);
      done.set(slot.slot, body);
      visit.pick = visit.pick.map((one) => (one.slot === slot.slot ? after(one, body) : one));
      refill(kiosk);
    }));
  });
}

function after(one, { found, filled, removed, spoiled }) {
  const before = found ?? one.on_hand ?? 0;
  const left = before + filled - removed - spoiled;
  return { ...one, on_hand: left, quantity: 0, stock: left > 0 ? "enough" : "empty" };
}

async function close(kiosk) {
  const told = await kiosk.api.endVisit(visit.visit, now.session.session).catch(kiosk.over);
  if (!told) return;
  visit = null;
  show("closed", (root) => put(root, "what", word("visit-sum", { count: done.size })));
}
