/**
 * Drags an appointment of the calendar to a free time. While it hovers, the server says whether it fits (data-check of the
 * appointment, ?place= of the free time); letting go opens the page that asks before anything is moved. The keyboard has the
 * same: open the appointment, choose "Move".
 */
import htmx from "htmx.org";

let dragged = null;
let over = null;
const answers = new Map();

const calendar = () => document.querySelector("[data-schedule]");
const words = () => calendar()?.querySelector("[data-move-words]")?.dataset ?? {};

function say(text) {
  const note = calendar()?.querySelector("[data-move-note]");
  if (!note) return;
  note.hidden = !text;
  note.textContent = text;
}

function ask(place) {
  const address = `${dragged.dataset.check}?place=${encodeURIComponent(place)}`;
  if (!answers.has(address)) {
    answers.set(address, fetch(address, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : { fits: false, text: words().unknown }))
      .catch(() => ({ fits: false, text: words().unknown })));
  }
  return answers.get(address);
}

function leave() {
  over?.classList.remove("fits", "clashes");
  over = null;
}

document.addEventListener("dragstart", (event) => {
  const link = event.target.closest?.("a[data-move]");
  if (!link) return;
  dragged = link;
  answers.clear();
  link.parentElement.classList.add("is-moving");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", link.textContent.trim());
});

document.addEventListener("dragover", async (event) => {
  const place = dragged && event.target.closest?.("a[data-place]");
  if (!place) {
    if (dragged && over) { leave(); say(""); }
    return;
  }
  event.preventDefault(); // whether it may be dropped is decided when it is: the answer may still be on its way
  if (place === over) return;
  leave();
  over = place;
  say(words().asking);
  const answer = await ask(place.dataset.place);
  if (over !== place) return;
  place.classList.add(answer.fits ? "fits" : "clashes");
  say(answer.fits ? words().fits : answer.text);
});

document.addEventListener("drop", async (event) => {
  const place = dragged && event.target.closest?.("a[data-place]");
  if (!place) return;
  event.preventDefault();
  const link = dragged;
  const answer = await ask(place.dataset.place);
  if (!answer.fits) return;
  const address = new URL(link.dataset.move, location.href);
  address.searchParams.set("place", place.dataset.place);
  const dialog = document.getElementById("dialog");
  if (!dialog) { location.href = address; return; }
  dialog.opener = link;
  await htmx.ajax("GET", address.pathname + address.search, { target: "#dialog-content", swap: "innerHTML" });
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("button[type=submit], button")?.focus();
});

document.addEventListener("dragend", () => {
  dragged?.parentElement.classList.remove("is-moving");
  const wasClash = over?.classList.contains("clashes");
  leave();
  dragged = null;
  if (wasClash) setTimeout(() => say(""), 3000);
  else say("");
});

