// Keys that change: which key of a chain may sign what, as signed hand-overs and revocations say (docs/api/bundle.md).
//
// Whoever knows one key of a chain knows all, since both keys signed each link. A key that was followed by another, or
// taken back, still proves what it signed up to its end: a log's key up to a size, the cloud's up to a second.

import { COSIGNATURE, ED25519, SealError, carries, checkpoint, cosignedAt, inForm, open, readKey } from "./seal.js";

const HAND_OVER = "tallystick/hand-over/1";
const REVOCATION = "tallystick/revocation/1";
const MAX_KEYS = 64;

function number(text) {
  if (!/^(0|[1-9]\d{0,15})$/.test(text)) throw new SealError(`${text} is no number`);
  return Number(text);
}

function linesOf(note, first, count) {
  const lines = note.slice(0, note.lastIndexOf("\n\n") + 1).split("\n");
  if (lines.length !== count + 1 || lines[0] !== first || lines.pop() !== "") throw new SealError(`this is no ${first}`);
  return lines;
}

/** The link in a note that both its keys signed. */
async function handOver(note) {
  const [, name, old, next, size, , seconds] = linesOf(note, HAND_OVER, 7);
  const keys = [await readKey(old), await readKey(next)];
  if (keys.some((key) => key.name !== name || key.algorithm !== ED25519) || keys[0].vkey === keys[1].vkey) {
    throw new SealError("a hand-over names two signing keys of one name");
  }
  for (const key of keys) await open(note, key);
  return { old: keys[0], next: keys[1], size: number(size), seconds: number(seconds) };
}

/** What another key (of ``by``) takes back. */
async function revocation(note, by) {
  const [, , vkey, size, seconds] = linesOf(note, REVOCATION, 6);
  const signer = by.find((key) => carries(note, key) && key.vkey !== vkey);
  if (!signer) throw new SealError("the revocation is not signed by a key that may revoke");
  await open(note, signer);
  return { vkey: (await readKey(vkey)).vkey, size: number(size), seconds: number(seconds) };
}

/** The keys from the first on, each with where it ends: ``code`` is "" for the newest, else "retired" or "revoked". */
async function chain(first, notes, revocations) {
  if (notes.length > MAX_KEYS) throw new SealError(`more than ${MAX_KEYS} keys`);
  const taken = new Map(revocations.map((one) => [one.vkey, one]));
  const keys = [];
  let at = first;
  for (const note of notes) {
    const link = await handOver(note);
    if (link.old.vkey !== at.vkey || keys.some((one) => one.key.vkey === link.next.vkey)) {
      throw new SealError("the hand-overs are not one chain from the first key");
    }
    const end = taken.get(at.vkey);
    if (end && link.size && link.size > end.size) throw new SealError("a revoked key handed over beyond its end");
    keys.push({
      key: at,
      code: end ? "revoked" : "retired",
      size: Math.min(link.size, end ? end.size : Infinity),
      seconds: Math.min(link.seconds, end ? end.seconds : Infinity),
    });
    at = link.next;
  }
  const end = taken.get(at.vkey);
  return [...keys, { key: at, code: end ? "revoked" : "", size: end ? end.size : Infinity, seconds: end ? end.seconds : Infinity }];
}

/** The cloud's keys in their signing form, oldest first. */
export async function cloudKeys(keys) {
  const cosigning = await readKey(keys.cosigner);
  const signing = await readKey(keys.signer);
  if (cosigning.algorithm !== COSIGNATURE || signing.algorithm !== ED25519) throw new SealError("the cloud's keys are of another kind");
  if ((await inForm(signing, COSIGNATURE)).vkey !== cosigning.vkey) {
    throw new SealError("statements are signed with another key than checkpoints are cosigned with");
  }
  const notes = keys.hand_overs ?? [];
  const links = await Promise.all(notes.map(handOver));
  const first = links.length ? links[0].old : signing;
  const known = [first, ...links.map((link) => link.next)];
  const taken = await Promise.all((keys.revocations ?? []).map((note) => revocation(note, known)));
  const found = await chain(first, notes, taken);
  if (found[found.length - 1].key.vkey !== signing.vkey) throw new SealError("the hand-overs do not lead to the cloud's key");
  return found;
}

/** A log's keys, oldest first; revocations are the cloud's. */
export async function logKeys(log, cloud) {
  const first = await readKey(log.vkey);
  if (first.algorithm !== ED25519 || first.name !== log.origin) throw new SealError("the key is another gateway's");
  const by = cloud.map((one) => one.key);
  const taken = await Promise.all((log.revocations ?? []).map((note) => revocation(note, by)));
  return chain(first, log.hand_overs ?? [], taken);
}

/** Whether a key that is known from elsewhere, in either form, is one of these. */
export async function among(keys, known) {
  const signing = await inForm(await readKey(known), ED25519);
  return keys.some((one) => one.key.vkey === signing.vkey);
}

/** The checkpoint in a note that a key of the log signed, and that it might sign. */
export async function signedPoint(note, keys) {
  const one = [...keys].reverse().find(({ key }) => carries(note, key));
  if (!one) throw new SealError("no signature of a key of this log");
  const point = checkpoint(await open(note, one.key));
  if (point.size > one.size) throw new SealError(`the key was ${one.code} at size ${one.size} and signed size ${point.size}`);
  return point;
}

/** The second of the cloud's cosignature, made while the key was the cloud's. */
export async function cosigned(note, keys) {
  for (const one of [...keys].reverse()) {
    const key = await inForm(one.key, COSIGNATURE);
    if (!carries(note, key)) continue;
    const seconds = await cosignedAt(note, key);
    if (seconds > one.seconds) throw new SealError(`the cloud's key was ${one.code} and cosigned after that`);
    return seconds;
  }
  throw new SealError("no cosignature of the cloud");
}

/** The text of a statement's note, signed by a key of the cloud that was not taken back before. */
export async function openStatement(note, keys, closed) {
  const one = keys.find(({ key }) => carries(note, key));
  if (!one) throw new SealError("the statement is not signed by the cloud's key");
  if (one.code === "revoked" && closed > one.seconds) throw new SealError("the key was revoked before this statement");
  return open(note, one.key);
}
