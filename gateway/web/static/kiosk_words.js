// The page in its languages: the server has rendered every view in each of them, so changing over fetches nothing.

const languages = new Map();
for (const holder of document.querySelectorAll("template.language")) {
  const tag = holder.lang;
  const views = new Map();
  const words = new Map();
  for (const view of holder.content.querySelectorAll("template[data-view], template[data-item]")) {
    views.set(view.dataset.view ?? view.dataset.item, view);
  }
  for (const pair of holder.content.querySelectorAll("[data-words] > div")) {
    words.set(pair.querySelector("dt").textContent, pair.querySelector("dd").textContent);
  }
  languages.set(tag, { views, words });
}

let spoken = languages.has(document.documentElement.lang) ? document.documentElement.lang : "en";

export const house = spoken;

export function language() {
  return spoken;
}

export function speak(tag) {
  if (languages.has(tag)) spoken = tag;
  document.documentElement.lang = spoken;
}

export function word(key, facts = {}) {
  const text = languages.get(spoken).words.get(key) ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole));
}

export function view(name) {
  return document.importNode(languages.get(spoken).views.get(name).content, true);
}

export function part(root, name) {
  return root.querySelector(`[data-part="${name}"]`);
}

export function day(ms, zone) {
  const form = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false };
  try {
    return new Intl.DateTimeFormat(spoken, { ...form, timeZone: zone || undefined }).format(ms);
  } catch {
    return new Intl.DateTimeFormat(spoken, form).format(ms);
  }
}

export function time(ms, zone) {
  const form = { hour: "2-digit", minute: "2-digit", hour12: false };
  try {
    return new Intl.DateTimeFormat(spoken, { ...form, timeZone: zone || undefined }).format(ms);
  } catch {
    return new Intl.DateTimeFormat(spoken, form).format(ms);
  }
}
