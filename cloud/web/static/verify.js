// The page's button: fetches the bundle (or takes a file), checks it here, and says what was found.

import { check } from "./check.js";

const form = document.getElementById("verify");
const said = document.getElementById("verify-said");
const list = document.getElementById("verify-findings");

async function bundle() {
  const file = form.elements.file.files[0];
  if (file) return JSON.parse(await file.text());
  const answer = await fetch(form.dataset.bundle);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

function tell(findings) {
  said.dataset.state = findings.length ? "wrong" : "right";
  said.textContent = findings.length ? said.dataset.wrong : said.dataset.right;
  list.replaceChildren(
    ...findings.map(({ line, what }) => {
      const item = document.createElement("li");
      item.textContent = line ? `${said.dataset.line} ${line}: ${what}` : what;
      return item;
    }),
  );
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.dataset.state = "busy";
  said.textContent = said.dataset.busy;
  list.replaceChildren();
  try {
    tell(await check(await bundle(), form.elements.key.value));
  } catch (error) {
    tell([{ line: 0, what: error.message }]);
  }
});
