// Brings a piece of the page into the form the server sent, touching only what differs: focus, selection and scroll
// positions stay. Elements with an id are the same element wherever they stand; the others are matched by position.

/** Makes `old` equal to `fresh` and returns the elements with an id in which something changed. */
export function patch(old, fresh) {
  const changed = new Set();
  patchNode(old, fresh, changed);
  return changed;
}

function patchNode(old, fresh, changed) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if (old.id) changed.add(old);
  patchAttributes(old, fresh);
  patchChildren(old, fresh, changed);
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function patchChildren(old, fresh, changed) {
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted.id ? named.get(wanted.id) : anonymous(place, wanted);
    if (!known) {
      old.insertBefore(wanted, place);
      if (wanted.id) changed.add(wanted);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else old.insertBefore(known, place);
    patchNode(known, wanted, changed);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function anonymous(place, wanted) {
  return place && !place.id && place.nodeName === wanted.nodeName ? place : undefined;
}
