// The screen before a person is known: clock, badge, the pad for numbers, and the line of status at the foot.

import { now, put, say, show, top } from "./kiosk_screen.js";
import { part, time, word } from "./kiosk_words.js";

const LONGEST = 32;
const TONES = { online: "good", offline: "warn", never: "warn" };

let zero = null;

function clock() {
  const shown = document.querySelector('[data-part="clock"]');
  if (!shown || zero === null) return;
  const ms = Date.now() + zero;
  shown.textContent = time(ms, now.state?.zone);
  // Nothing burns in: the block wanders a little with each minute.
  shown.parentElement.dataset.place = Math.floor(ms / 60_000) % 5;
}

export function tick() {
  clock();
  setInterval(clock, 5_000);
}

const CLOSED = { stopped: "stopped", recovering: "recovering", service: "service", serving: "busy", session: "busy" };

export function idle(kiosk, { quiet = false } = {}) {
  const state = now.state;
  const closed = state && CLOSED[state.state] && !(state.state === "session" && state.session === now.left) ? CLOSED[state.state] : "";
  const key = `${document.documentElement.lang} ${closed} ${state?.tick === -1}`;
  if (quiet && now.view === "idle" && now.idleKey === key) return;
  now.idleKey = key;
  top("bar-idle", (bar) => {
    put(bar, "who", document.body.dataset.title);
    for (const one of bar.querySelectorAll("[data-lang]")) one.setAttribute("aria-pressed", one.dataset.lang === document.documentElement.lang);
  });
  show("idle", (root) => {
    put(root, "place", kiosk.api.cabinet);
    if (closed) part(root, "heading").textContent = word(closed);
    clock();
  }, { focus: !quiet });
}

export function foot(state) {
  const link = document.getElementById("link");
  const text = document.getElementById("link-word");
  const help = document.getElementById("foot-help");
  if (state === null) {
    link.dataset.tone = "bad";
    text.textContent = word("away");
    return;
  }
  zero = state.now_ms - Date.now();
  clock();
  link.dataset.tone = TONES[state.link] ?? "off";
  const pending = state.link === "online" && state.pending ? "-pending" : "";
  const told = word(`${state.link}${pending}`, { count: state.pending });
  if (text.textContent !== told) text.textContent = told;
  const extra = [state.clock === "U" ? word("clock-wrong") : "", state.rules_old ? word("rules-old") : "", state.help ?? ""];
  help.textContent = extra.filter(Boolean).join(" · ");
}

// What may hold letters has a second side; what a scanner reads meanwhile is meant for here and is no badge.
export function pad(kiosk, what, done, { error = "", letters = false, back = null } = {}) {
  let typed = "";
  let keyed = "";
  // More keys than the reader was quick with: it paused, and what came before belongs to its number too.
  now.scan = letters ? (read) => done(keyed.length > read.length ? keyed : read) : null;
  show("pad", (root) => {
    put(root, "heading", word(`pad-${what}`));
    put(root, "error", error);
    const output = part(root, "typed");
    const draw = () => {
      output.textContent = what === "pin" ? "•".repeat(typed.length) : typed;
      if (!typed) output.textContent = "\u00a0";
    };
    const turn = (to) => {
      part(root, "digits").hidden = to !== "digits";
      part(root, "letters").hidden = to !== "letters";
    };
    part(root, "letters-key").hidden = !letters;
    output.classList.toggle("text", letters);
    if (back) {
      const away = root.querySelector('[data-go="back"]');
      delete away.dataset.go;
      away.dataset.back = "";
      away.addEventListener("click", back);
    }
    const press = (key) => {
      if (key === "letters" || key === "digits") return turn(key);
      if (key === "ok") return typed ? done(typed) : say(word("typed-none"));
      typed = key === "erase" ? typed.slice(0, -1) : (typed + key).slice(0, LONGEST);
      say(word("typed", { count: typed.length }));
      draw();
    };
    for (const button of root.querySelectorAll("[data-key]")) button.addEventListener("click", () => press(button.dataset.key));
    root.firstElementChild.addEventListener("keydown", (event) => {
      if (letters ? /^[!-~]$/.test(event.key) : /^[0-9A-Za-z]$/.test(event.key)) {
        keyed += event.key;
        press(event.key.toUpperCase());
      } else if (event.key === "Backspace") {
        keyed = keyed.slice(0, -1);
        press("erase");
      }
      if (event.key === "Enter" && event.target.tagName !== "BUTTON") press("ok");
    });
    draw();
  });
}
