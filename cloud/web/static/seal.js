// Signed notes and Merkle trees in the browser: Ed25519 and SHA-256 by WebCrypto, formats by C2SP, tree by RFC 9162.

export const ED25519 = 1;
export const COSIGNATURE = 4;
const encoder = new TextEncoder();

export class SealError extends Error {}

export async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

export const bytes = (text) => encoder.encode(text);

export function hex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function unhex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new SealError("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function unbase64(text) {
  const plain = atob(text);
  if (btoa(plain) !== text) throw new SealError("not canonical base64");
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** A public key from its ``name+hash+base64`` form. */
export async function readKey(vkey) {
  const [name, hash, ...rest] = vkey.trim().split("+");
  const raw = unbase64(rest.join("+"));
  if (raw.length !== 33 || ![ED25519, COSIGNATURE].includes(raw[0])) throw new SealError("no Ed25519 key");
  const found = await formed(name, raw[0], raw.slice(1));
  if (hex(found.keyHash) !== hash) throw new SealError("the key's hash does not fit: a digit was mistyped");
  return found;
}

async function formed(name, algorithm, raw) {
  const tagged = Uint8Array.of(algorithm, ...raw);
  const keyHash = (await sha256(bytes(`${name}\n`), tagged)).slice(0, 4);
  const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  const vkey = `${name}+${hex(keyHash)}+${btoa(String.fromCharCode(...tagged))}`;
  return { name, algorithm, keyHash, key, raw, vkey };
}

/** The same public key in its form for signing notes or for cosigning. */
export const inForm = (key, algorithm) => formed(key.name, algorithm, key.raw);

function splitNote(note) {
  const at = note.lastIndexOf("\n\n");
  if (at < 0 || !note.endsWith("\n")) throw new SealError("no signed note");
  const signatures = note.slice(at + 2, -1).split("\n").map((line) => {
    const [dash, name, blob] = line.split(" ");
    if (dash !== "\u2014" || blob === undefined) throw new SealError("no signature line");
    const raw = unbase64(blob);
    return { name, keyHash: raw.slice(0, 4), signature: raw.slice(4) };
  });
  return { text: note.slice(0, at + 1), signatures };
}

/** Whether a note has a line of this key; nothing is verified. */
export const carries = (note, key) => splitNote(note).signatures.some((one) => one.name === key.name && same(one.keyHash, key.keyHash));

function mine(key, signatures) {
  const found = signatures.find((one) => one.name === key.name && same(one.keyHash, key.keyHash));
  if (!found) throw new SealError(`no signature of ${key.name} with this key`);
  return found.signature;
}

/** The text of a note that the key signed; throws SealError. */
export async function open(note, key) {
  const { text, signatures } = splitNote(note);
  if (!(await crypto.subtle.verify("Ed25519", key.key, mine(key, signatures), bytes(text)))) {
    throw new SealError(`the signature of ${key.name} does not fit`);
  }
  return text;
}

/** Unix seconds at which the cosigner cosigned a checkpoint; throws SealError. */
export async function cosignedAt(note, key) {
  const { text, signatures } = splitNote(note);
  const blob = mine(key, signatures);
  if (key.algorithm !== COSIGNATURE || blob.length !== 72) throw new SealError("no cosignature");
  const seconds = Number(new DataView(blob.buffer, blob.byteOffset, 8).getBigUint64(0));
  const message = bytes(`cosignature/v1\ntime ${seconds}\n${text}`);
  if (!(await crypto.subtle.verify("Ed25519", key.key, blob.slice(8), message))) {
    throw new SealError(`the cosignature of ${key.name} does not fit`);
  }
  return seconds;
}

/** Origin, size and root of a checkpoint's text. */
export function checkpoint(text) {
  const [origin, size, root, end, ...more] = text.split("\n");
  if (end !== "" || more.length || !/^(0|[1-9]\d*)$/.test(size)) throw new SealError("no checkpoint");
  return { origin, size: Number(size), root: hex(unbase64(root)) };
}

export const leafHash = (leaf) => sha256(Uint8Array.of(0), bytes(leaf));

/** The peaks of a tree with more leaves; ``peaks`` are the roots of its perfect subtrees, the largest first. */
export async function extend(size, peaks, hashes) {
  const left = [...peaks];
  const kept = [];
  let nodes = [...hashes];
  for (let position = size; nodes.length; position = Math.floor(position / 2)) {
    if (position % 2) nodes.unshift(left.pop());
    if (nodes.length % 2) kept.push(nodes.pop());
    const pairs = [];
    for (let at = 0; at < nodes.length; at += 2) pairs.push(sha256(Uint8Array.of(1), nodes[at], nodes[at + 1]));
    nodes = await Promise.all(pairs);
  }
  return { size: size + hashes.length, peaks: [...left, ...kept.reverse()] };
}

/** Whether a tree of ``second`` leaves begins with that of ``first``; roots and path in hexadecimal (RFC 9162 2.1.4.2). */
export async function continues(first, second, path, before, after) {
  if (first === second) return !path.length && before === after;
  if (first < 1 || first > second) return false;
  let [at, last] = [first - 1, second - 1];
  while (at % 2) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  const nodes = path.map(unhex);
  const begin = at ? nodes.shift() : unhex(before);
  if (!begin) return false;
  let [old, whole] = [begin, begin];
  for (const node of nodes) {
    if (!last) return false;
    if (at % 2 || at === last) {
      old = await sha256(Uint8Array.of(1), node, old);
      whole = await sha256(Uint8Array.of(1), node, whole);
      while (at && !(at % 2)) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      whole = await sha256(Uint8Array.of(1), whole, node);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return !last && hex(old) === before && hex(whole) === after;
}

/** The root over the peaks, as hexadecimal. */
export async function root(peaks) {
  if (!peaks.length) return hex(await sha256());
  let node = peaks[peaks.length - 1];
  for (const peak of peaks.slice(0, -1).reverse()) node = await sha256(Uint8Array.of(1), peak, node);
  return hex(node);
}
