// A badge reader that acts as a keyboard: many keys in no time, then Enter. Where a person types too, only keys that no
// fingers manage are the reader's; where nobody types, a slow machine's reader is believed as well.

const QUICK_MS = 250;
const FINGERS_MS = 60;
const SHORTEST = 4;
const LONGEST = 64;
// What a reader holds for a capital; any other key that writes nothing (Tab, an arrow) is a person's and ends a reading.
const HELD = ["Shift", "CapsLock"];

export function listen(heard, typing) {
  let typed = "";
  let at = -QUICK_MS;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const quick = event.timeStamp - at < (typing() ? FINGERS_MS : QUICK_MS);
    at = event.timeStamp;
    if (event.key === "Enter") {
      const read = typed;
      typed = "";
      if (quick && read.length >= SHORTEST) {
        event.preventDefault();
        event.stopImmediatePropagation();
        heard(read);
      }
      return;
    }
    if (event.key.length !== 1) {
      if (!HELD.includes(event.key)) typed = "";
      return;
    }
    typed = quick && typed.length < LONGEST ? typed + event.key : event.key;
    if (typed.length > 1 && event.key === " ") event.preventDefault();
  }, { capture: true });
}
