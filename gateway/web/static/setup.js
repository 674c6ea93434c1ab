// While something is under way the page asks how it goes, and loads itself again when it is over or the gateway is back.

const EVERY_MS = 800;
const job = document.getElementById("job");
const says = document.getElementById("job-says");
const away = document.getElementById("job-away");

async function look() {
  try {
    const answer = await fetch("/setup/job");
    const told = await answer.json();
    away.hidden = true;
    if (says && told.busy) says.textContent = told.says;
    const over = "busy" in job.dataset && !told.busy;
    if (over || (told.start && told.start !== job.dataset.start)) return location.replace(location.pathname + location.search);
  } catch {
    away.hidden = false;
  }
  setTimeout(look, EVERY_MS);
  return null;
}

document.querySelector("[data-print]")?.addEventListener("click", () => print());
setTimeout(look, EVERY_MS);
