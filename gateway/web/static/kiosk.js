// The kiosk: badge, tap, take. What it shows is what the gateway last said; when that is away, it says so and asks again.

import { Api, Away, SessionOver, fresh } from "./kiosk_api.js";
import { foot, idle, pad, tick } from "./kiosk_idle.js";
import { item, mine, outcome } from "./kiosk_person.js";
import { listen } from "./kiosk_reader.js";
import { refill } from "./kiosk_refill.js";
import { now, put, say, show, shout, tongue, top, Watch } from "./kiosk_screen.js";
import { lay } from "./kiosk_tiles.js";
import { house, language, part, speak, word } from "./kiosk_words.js";

const api = new Api(document.body.dataset.cabinet);
const watch = new Watch(api, over);
const kiosk = { api, watch, over, map, deed, leave, go, outcome: (told, more) => outcome(kiosk, told, more) };
api.lang = language();


async function enter(who) {
  if (now.draw || now.view === "working") return;
  if (now.session) {
    if (now.session.badge && now.session.badge === who.badge) return watch.touch();
    return shout(word("busy"));
  }
  const found = await api.open(who).catch(over);
  if (!found) return;
  if (found.outcome === "open") {
    now.session = { ...found, badge: who.badge };
    tongue(found.language);
    api.lang = language();
    watch.begin(found.seconds);
    await map();
  } else if (["pin_needed", "pin_wrong"].includes(found.reason)) {
    pad(kiosk, "pin", (pin) => enter({ ...who, pin }), { error: found.reason === "pin_wrong" ? found.sentence : "" });
  } else {
    outcome(kiosk, found, { leave: true });
  }
}

async function map(focus = true) {
  if (!now.session) return idle(kiosk);
  const told = await api.slots(now.session.session).catch(over);
  if (!told || !now.session) return;
  now.slots = told.slots;
  // News of the map came while a finger was quicker: what is on the screen now stays there.
  if (!focus && now.view !== "map") return;
  const { name, roles } = now.session;
  top("bar-in", (bar) => {
    put(bar, "who", name ? word("hello", { name }) : word("hello-nobody"));
    part(bar, "refill").hidden = !roles.includes("restocker");
  });
  show("map", (root) => lay(root, now.slots, now.page, why, (slot) => item(kiosk, slot), turn), { focus });
}

function turn(page) {
  now.page = page;
  map();
}

function why(slot) {
  if (slot.mode === "loan" && slot.allowed) return { text: word("loan"), closed: false };
  if (slot.mode === "will_call" || slot.mode === "off") return { text: word(slot.mode), closed: !slot.allowed };
  if (!slot.allowed) return { text: word("not-for-you"), closed: true };
  return { text: slot.doubtful ? word("doubtful") : "", closed: false };
}

// A deed that moves something: it is told by the gateway when it is over, and looked up when the gateway went away.
async function deed(name, body, slot, after = {}) {
  const request = fresh();
  now.draw = { slot, since: now.state?.now_ms ?? 0, asked: { request, whose: body.session ?? body.code ?? "" } };
  watch.paused = true;
  working(slot);
  try {
    const told = await api.deed(name, { ...body, request });
    finish(told, after);
  } catch (error) {
    if (!(error instanceof Away)) return drop(error);
    await lookUp(after);
  }
}

function finish(told, after) {
  now.draw = null;
  watch.paused = false;
  watch.touch();
  outcome(kiosk, told, { ...after, leave: after.leave || !now.session });
}

function drop(error) {
  now.draw = null;
  watch.paused = false;
  over(error);
}

async function lookUp(after) {
  const { slot, since, asked } = now.draw;
  away(word("away-draw", { slot }));
  for (;;) {
    await new Promise((done) => setTimeout(done, 700));
    const told = await api.last(slot, since, asked).catch(() => null);
    if (!told || told.outcome === "pending" || now.state?.state === "recovering" || now.state?.state === "serving") continue;
    const still = now.session && (await api.session(now.session.session).catch(() => null));
    if (!still) forget();
    return finish(told, { ...after, leave: !still, lookedUp: true });
  }
}

function working(slot) {
  top("bar-idle", (bar) => {
    put(bar, "who", now.session?.name ? word("hello", { name: now.session.name }) : api.cabinet);
    bar.querySelector(".tongues").remove();
  });
  show("working", (root) => {
    put(root, "sign", "…");
    put(root, "heading", word("opening", { slot }));
    put(root, "words", word("wait"));
  });
}

function away(words) {
  show("working", (root) => {
    put(root, "sign", "!");
    put(root, "heading", word("away-title"));
    put(root, "words", words);
  });
}

function forget() {
  now.session = null;
  now.page = 0;
  watch.end();
}

function home(text) {
  forget();
  speak(house);
  api.lang = house;
  idle(kiosk);
  if (text) say(text);
}

async function leave() {
  const token = now.session?.session;
  now.left = token;
  home(word("logged-out"));
  if (token) await api.leave(token).catch(() => null);
}

function over(error) {
  if (error === null) return leave();
  if (error instanceof SessionOver) return home(word("session-over"));
  if (error instanceof Away) return now.draw || away(word("away-idle"));
  shout(error.message);
  if (!now.draw) outcome(kiosk, { outcome: "refused", sentence: error.message, ask: "", offer: [] }, { leave: !now.session });
  return null;
}

const ROADS = {
  map: () => map(),
  back: () => home(""),
  leave: () => leave(),
  stay: () => watch.stay(),
  code: () => pad(kiosk, "code", (code) => pad(kiosk, "pin", (pin) => enter({ code, pin }))),
  pickup: () => pad(kiosk, "pickup", (code) => deed("pickups", { cabinet: api.cabinet, code }, "", { leave: true })),
  mine: () => mine(kiosk),
  refill: () => refill(kiosk),
  "close-visit": () => refill(kiosk, "close"),
};

function go(road) {
  return ROADS[road]();
}

addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.go) go(button.dataset.go);
  if (button?.dataset.lang && !now.session) {
    tongue(button.dataset.lang);
    api.lang = language();
    idle(kiosk);
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || now.draw) return;
  const back = document.querySelector('main [data-go="back"], main [data-go="map"], main [data-go="mine"], main [data-go="refill"], main [data-back]');
  back?.click();
});
listen(async (read) => {
  if (now.view === "pad" && now.scan) return now.scan(read);
  const told = await api.wedge(read).catch(over);
  if (told?.badge) enter({ badge: told.badge });
  return null;
}, () => now.view === "pad");

function changed(state) {
  const before = now.state;
  now.state = state;
  foot(state);
  if (now.draw && now.view === "working" && state.attempt) {
    const { slot, door_open: open } = state.attempt;
    put(document, "sign", open ? "↗" : "…");
    put(document, "heading", word(open ? "open" : "opening", { slot }));
    put(document, "words", word(open ? "take-close" : "wait"));
    say(`${part(document, "heading").textContent}. ${part(document, "words").textContent}`);
  }
  if (!now.session && !now.draw && ["idle", "working"].includes(now.view)) idle(kiosk, { quiet: true });
  if (now.session && now.view === "map" && before && before.tick !== state.tick) map(false);
}

async function follow() {
  let after = 0;
  for (;;) {
    try {
      // While a door stands open the board is what changes, and nothing is written: then it is asked, not waited for.
      const state = await api.state(now.draw ? 0 : after);
      after = state.tick;
      changed(state);
      if (state.session && state.session !== now.left && !now.session && !now.draw) adopt(state.session);
      await new Promise((done) => setTimeout(done, now.draw ? 400 : 150));
    } catch {
      after = 0;
      foot(null);
      if (now.state !== null) now.state = { ...now.state, tick: -1 };
      if (!now.draw && now.view !== "working") away(word("away-idle"));
      await new Promise((done) => setTimeout(done, 1000));
      if (now.session) await api.session(now.session.session).then(() => now.view === "working" && map(), (error) => error instanceof SessionOver && over(error));
    }
  }
}

async function adopt(token) {
  const found = await api.session(token).catch(() => null);
  if (!found || now.session) return;
  now.session = found;
  tongue(found.language);
  api.lang = language();
  watch.begin(found.seconds);
  map();
}

async function readers() {
  for (;;) {
    const told = await api.badge().catch(() => null);
    if (told?.badge) enter({ badge: told.badge });
    else if (!told) await new Promise((done) => setTimeout(done, 1000));
  }
}

idle(kiosk);
tick(kiosk);
follow();
readers();
