// What every view needs: putting it up, saying it aloud, steppers, offers, the person's session and its clock.

import { house, language, part, speak, view, word } from "./kiosk_words.js";

const main = document.getElementById("view");
const bar = document.getElementById("bar");
const said = document.getElementById("say");
const shouted = document.getElementById("shout");
const WARN_S = 5;

export const now = { view: "", session: null, state: null, slots: [], page: 0, draw: null, cause: null, scan: null };

export function show(name, fill = () => {}, { focus = true } = {}) {
  const made = view(name);
  now.view = name;
  document.body.dataset.view = name;
  main.replaceChildren(made);
  fill(main);
  const heading = main.querySelector("h1");
  if (focus) heading?.focus({ preventScroll: true });
  const text = ["heading", "what", "words", "refusal", "ask"].map((one) => part(main, one)?.textContent.trim()).filter(Boolean);
  say(text.join(" "));
}

export function top(name, fill = () => {}) {
  bar.replaceChildren(view(name));
  fill(bar);
}

export function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

export function shout(text) {
  shouted.textContent = "";
  shouted.textContent = text;
}

export function put(root, name, text) {
  const place = part(root, name);
  place.textContent = text ?? "";
  place.hidden = !text;
  return place;
}

export function step(group, { least, most, at }, changed = () => {}) {
  const output = group.querySelector("output");
  const [fewer, more] = ["-1", "1"].map((by) => group.querySelector(`[data-step="${by}"]`));
  const set = (count, least_now = least) => {
    at = count;
    output.textContent = count === null ? word("not-counted") : count;
    fewer.setAttribute("aria-disabled", count === null || count <= least_now);
    more.setAttribute("aria-disabled", count !== null && count >= most);
    changed(count);
  };
  fewer.addEventListener("click", () => at !== null && at > least && set(at - 1));
  more.addEventListener("click", () => (at === null ? set(least) : at < most && set(at + 1)));
  set(at);
  return { count: () => at, set };
}

// A second touch while the first is being answered is the same touch.
export function single(act) {
  let doing = null;
  return (...told) => {
    doing ??= act(...told).finally(() => { doing = null; });
    return doing;
  };
}

export function offers(root, slots, pick) {
  const place = part(root, "offers");
  place.replaceChildren(...slots.slice(0, 2).map((slot) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word("offer", { slot });
    button.addEventListener("click", () => pick(slot));
    return button;
  }));
  place.hidden = !slots.length;
}

// The session ends by itself when nobody touches the screen; five seconds before it asks.

export class Watch {
  constructor(api, over) {
    this.api = api;
    this.over = over;
    this.left = 0;
    this.paused = false;
    this.told = 0;
    setInterval(() => this.#tick(), 1000);
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => this.touch(), { passive: true });
  }

  begin(seconds) {
    this.seconds = seconds;
    this.left = seconds;
    this.#warn(false);
  }

  end() {
    this.left = 0;
    this.#warn(false);
  }

  touch() {
    if (!this.left || !now.session) return;
    this.left = this.seconds;
    const token = now.session.session;
    if (performance.now() - this.told < 3000) return;
    this.told = performance.now();
    this.api.alive(token).then(({ seconds }) => { this.seconds = seconds; }, (error) => this.over(error));
  }

  stay() {
    this.touch();
    this.#warn(false);
  }

  #tick() {
    if (!this.left || this.paused) return;
    this.left -= 1;
    if (this.left <= 0) this.over(null);
    else this.#warn(this.left <= WARN_S);
  }

  #warn(needed) {
    let shown = document.querySelector(".warn");
    if (!needed) {
      if (shown) {
        shown.parentElement.remove();
        main.inert = bar.inert = false;
        main.querySelector("h1")?.focus({ preventScroll: true });
      }
      return;
    }
    if (!shown) {
      const cover = document.createElement("div");
      cover.className = "cover";
      cover.append(view("warn"));
      document.body.append(cover);
      main.inert = bar.inert = true;
      shown = cover.querySelector(".warn");
      shown.querySelector('[data-go="stay"]').focus();
    }
    part(shown, "words").textContent = word("seconds", { count: this.left });
  }
}

export function tongue(wanted) {
  const tag = wanted || house;
  if (tag !== language()) speak(tag);
}
