// Sends a bank's file as it is, says what became of it, and then asks for the page anew so that its rows are seen.

const form = document.getElementById("bank-file");
const said = document.getElementById("bank-said");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  if (!file) return;
  said.textContent = said.dataset.busy;
  try {
    const answer = await fetch(`${form.getAttribute("action")}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    const sentence = (await answer.text()).trim();
    sessionStorage.setItem("bank-said", sentence);
    if (answer.ok) location.reload();
    else said.textContent = sentence;
  } catch {
    said.textContent = said.dataset.failed;
  }
});

said.textContent = sessionStorage.getItem("bank-said") ?? "";
sessionStorage.removeItem("bank-said");
