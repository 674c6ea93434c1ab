// The slot map: one look for drawing and for refilling. Everything fits on the screen; more than 24 slots have pages.

import { part, view, word } from "./kiosk_words.js";

const MOST = 24;
// Beside the buttons that turn pages there is room for three rows.
const PAGED = 18;
const TONES = { enough: "good", low: "warn", empty: "bad", unknown: "off" };

export function stock(slot) {
  return word(`stock-${slot.stock}`, { count: slot.on_hand ?? "" });
}

export function tone(slot) {
  return TONES[slot.stock] ?? "off";
}

function shape(count) {
  for (const [most, columns, rows] of [[2, 2, 1], [4, 2, 2], [6, 3, 2], [8, 4, 2], [12, 4, 3], [15, 5, 3], [20, 5, 4]]) {
    if (count <= most) return [columns, rows];
  }
  return [6, 4];
}

export function name(slot) {
  return slot.name || slot.item;
}

function tile(slot, why, pick) {
  const made = view("tile").firstElementChild;
  part(made, "no").textContent = slot.slot;
  part(made, "name").textContent = name(slot);
  const [said, count = ""] = stock(slot).split(" · ");
  part(made, "word").textContent = said;
  part(made, "count").textContent = count && `\u00a0· ${count}`;
  part(made, "stock").dataset.tone = tone(slot);
  const { text, closed } = why(slot);
  part(made, "why").textContent = text;
  part(made, "why").hidden = !text;
  if (closed) made.dataset.closed = "";
  made.addEventListener("click", () => pick(slot));
  return made;
}

export function lay(root, slots, page, why, pick, turn) {
  const each = slots.length > MOST ? PAGED : MOST;
  const pages = Math.ceil(slots.length / each);
  const shown = slots.slice(page * each, (page + 1) * each);
  const tiles = part(root, "tiles");
  const [columns, rows] = pages > 1 ? [6, 3] : shape(shown.length);
  tiles.dataset.columns = columns;
  tiles.dataset.rows = rows;
  tiles.replaceChildren(...shown.map((slot) => tile(slot, why, pick)));
  part(root, "nothing").hidden = slots.length > 0;
  tiles.hidden = !slots.length;
  const nav = part(root, "pages");
  nav.hidden = pages < 2;
  nav.replaceChildren(...Array.from({ length: pages < 2 ? 0 : pages }, (_, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word("page", { from: slots[at * each].slot, to: slots[Math.min(slots.length, (at + 1) * each) - 1].slot });
    if (at === page) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => turn(at));
    return button;
  }));
}
