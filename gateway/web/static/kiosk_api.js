// The kiosk's words with the gateway: /kiosk/v1. Two things can go wrong, and the page does different things about them.

export class SessionOver extends Error {}
export class Away extends Error {}

const QUICK_MS = 25_000;
const TRIES = 5;

async function ask(method, path, body, { signal, patience = QUICK_MS } = {}) {
  const limits = patience ? [AbortSignal.timeout(patience)] : [];
  if (signal) limits.push(signal);
  const sent = { method, signal: AbortSignal.any(limits), headers: { accept: "application/json" } };
  if (body) {
    sent.headers["content-type"] = "application/json";
    sent.body = JSON.stringify(body);
  }
  let answer;
  let told;
  try {
    answer = await fetch(path, sent);
    told = await answer.json();
  } catch {
    throw new Away(path);
  }
  if (answer.status === 401) throw new SessionOver();
  if (answer.status >= 500) throw new Away(path);
  if (!answer.ok) throw new Error(told.detail ?? String(answer.status));
  return told;
}

// The name of one deed: sent again with it, it is not done again.
export function fresh() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
}

export class Api {
  constructor(cabinet) {
    this.cabinet = cabinet;
    this.lang = "en";
  }

  #path(rest, more = {}) {
    return `/kiosk/v1/${rest}?${new URLSearchParams({ lang: this.lang, ...more })}`;
  }

  #here(rest, more) {
    return this.#path(`cabinets/${encodeURIComponent(this.cabinet)}/${rest}`, more);
  }

  state(after, signal) { return ask("GET", this.#here("state", { after }), null, { signal, patience: 30_000 }); }
  badge(signal) { return ask("GET", this.#here("badge"), null, { signal, patience: 30_000 }); }
  slots(session) { return ask("GET", this.#here("slots", session ? { session } : {})); }
  last(slot, since, asked) { return ask("POST", this.#here("last"), { slot, since_ms: since, ...asked }); }
  wedge(read) { return ask("POST", this.#path("wedge"), { read }); }
  open(who) { return ask("POST", this.#path("sessions"), { cabinet: this.cabinet, ...who }); }
  session(token) { return ask("GET", this.#path(`sessions/${token}`)); }
  alive(token) { return ask("POST", this.#path(`sessions/${token}/alive`)); }
  leave(token) { return ask("DELETE", this.#path(`sessions/${token}`)); }
  mine(token) { return ask("GET", this.#path(`sessions/${token}/mine`)); }
  // A draw takes as long as the door stands open: nobody hangs up on it.
  deed(name, body) { return ask("POST", this.#path(name), body, { patience: 0 }); }
  fill(visit, body) { return this.sure(`visits/${visit}/slots`, body); }
  door(visit, body) { return ask("POST", this.#path(`visits/${visit}/doors`), body, { patience: 0 }); }
  // What nobody looks up afterwards: unanswered it is sent again, under the name it has, and done once.
  async sure(name, body) {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.deed(name, body);
      } catch (error) {
        if (!(error instanceof Away) || left <= 1) throw error;
        await new Promise((done) => setTimeout(done, 1000));
      }
    }
  }
  // A scale must come to rest and a reader look once more before a visit is over.
  endVisit(visit, session) { return ask("DELETE", this.#path(`visits/${visit}`, { session }), null, { patience: 0 }); }
}
