// Keeps a page live: asks for it again every few seconds and puts what changed in its place; a dot says whether it comes.

const EVERY_MS = 4_000;

const live = document.getElementById("live");
const word = document.getElementById("live-word");
const policy = window.trustedTypes?.createPolicy("tallystick", { createHTML: (rendered) => rendered });

function show(state) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  word.textContent = state === "connected" ? live.dataset.live : live.dataset.stale;
}

function replace(text) {
  const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
  for (const old of document.querySelectorAll("main section[id]")) {
    const fresh = page.getElementById(old.id);
    if (!fresh) old.remove();
    else if (fresh.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) swap(old, fresh);
  }
}

function swap(old, fresh) {
  const at = [...old.querySelectorAll(".scroll")].map((box) => [box.scrollTop, box.scrollLeft]);
  old.replaceChildren(...document.adoptNode(fresh).childNodes);
  [...old.querySelectorAll(".scroll")].forEach((box, number) => box.scrollTo(at[number]?.[1] ?? 0, at[number]?.[0] ?? 0));
}

async function look() {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    replace(await answer.text());
    show("connected");
  } catch {
    show("stale");
  }
  setTimeout(look, EVERY_MS);
}

show("connected");
setTimeout(look, EVERY_MS);
