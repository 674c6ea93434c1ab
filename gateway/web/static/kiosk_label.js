// What a package says: lot, last day, serial numbers; by finger, keyboard or the reader's scan.

import { pad } from "./kiosk_idle.js";
import { say, show } from "./kiosk_screen.js";
import { part, word } from "./kiosk_words.js";

// A number as it is kept: no spaces, which stand between numbers in a record.
export function bare(text) {
  return text.replace(/\s+/g, "");
}

// "20270630" and "270630" as they stand on packages; "" for what is no day.
function day(text) {
  const digits = text.replace(/\D/g, "");
  const whole = digits.length === 6 ? `20${digits}` : digits;
  const found = `${whole.slice(0, 4)}-${whole.slice(4, 6)}-${whole.slice(6, 8)}`;
  const at = new Date(`${found}T00:00:00Z`);
  return whole.length === 8 && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(found) ? found : "";
}

export function label(kiosk, slot, work, done) {
  const again = (more) => label(kiosk, slot, { ...work, ...more }, done);
  const numbered = slot.needs.includes("serial");
  const roads = {
    lot: () => pad(kiosk, "lot", (typed) => again({ lot: typed.trim() }), { letters: true, back: () => again({}) }),
    expires: (error = "") => pad(kiosk, "expires", (typed) => (day(typed) ? again({ expires: day(typed) }) : roads.expires(word("bad-day"))), { error, back: () => again({}) }),
    serial: () => pad(kiosk, "serial", (typed) => add(bare(typed)), { letters: true, back: () => again({}) }),
    clear: () => again({ lot: "", expires: "", serials: [] }),
  };
  const add = (serial) => again({ serials: work.serials.includes(serial) ? work.serials : [...work.serials, serial] });
  show("label", (root) => {
    part(root, "lot").textContent = work.lot;
    part(root, "expires").textContent = work.expires;
    part(root, "serial").textContent = work.serials.slice(-3).join(", ");
    root.querySelector('[data-label="serial"]').hidden = !numbered;
    for (const button of root.querySelectorAll("[data-label]")) button.addEventListener("click", () => roads[button.dataset.label]());
    root.querySelector("[data-back]").addEventListener("click", () => done(work));
  });
  if (numbered) say(word("label-serials", { count: work.serials.length }));
}
