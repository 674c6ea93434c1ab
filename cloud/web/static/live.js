// Keeps the page live: one stream of fragments that the server has rendered, and a dot that says whether it still comes.

import { patch } from "./patch.js";

const STALE_AFTER_MS = 25_000;
const RETRY_AFTER_MS = 5_000;
const FLASH_MS = 1_600;

const status = document.getElementById("live");
const word = document.getElementById("live-word");
const time = document.getElementById("live-time");
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

const ours = window.trustedTypes?.createPolicy("tallystick", { createHTML: (rendered) => rendered });

let stream;
let watch;
let retry;

function show(state) {
  if (status.dataset.state === state) return;
  status.dataset.state = state;
  word.textContent = status.dataset[state];
}

function heard(event) {
  const { iso, text } = JSON.parse(event.data);
  time.dateTime = iso;
  time.textContent = text;
  show("connected");
  clearTimeout(watch);
  watch = setTimeout(() => show("stale"), STALE_AFTER_MS);
}

function replace(event) {
  const rendered = ours ? ours.createHTML(event.data) : event.data;
  const parsed = new DOMParser().parseFromString(rendered, "text/html").body.firstElementChild;
  const part = parsed && document.getElementById(parsed.id);
  if (!part) return;
  const changed = patch(part, document.adoptNode(parsed));
  if (!calm.matches) flash(changed);
}

function flash(changed) {
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--fresh");
  for (const element of changed) {
    if (element.matches("tr, li, .total")) {
      element.animate([{ backgroundColor: colour }, {}], { duration: FLASH_MS, easing: "ease-out" });
    }
  }
}

function connect() {
  clearTimeout(retry);
  stream = new EventSource(status.dataset.stream);
  stream.addEventListener("part", replace);
  stream.addEventListener("beat", heard);
  stream.addEventListener("ended", () => {
    close();
    show("ended");
  });
  stream.addEventListener("error", () => {
    show("stale");
    if (stream.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_AFTER_MS);
  });
}

function close() {
  clearTimeout(watch);
  clearTimeout(retry);
  stream.close();
}

window.addEventListener("pagehide", close);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) connect();
});
connect();
