/** A patient's number, live: asks every few seconds, and says nothing to the server that it does not know already. */
const card = document.querySelector("[data-live]");
let etag = "";
let waits = Number(card?.dataset.ask || 10);
let timer;

function put(value) {
  for (const place of card.querySelectorAll("[data-put]")) {
    const text = String(value[place.dataset.put] ?? "");
    if (place.textContent !== text) place.textContent = text;
  }
  for (const part of card.querySelectorAll("[data-hide]")) part.hidden = !value[part.dataset.hide];
}

async function ask() {
  const offline = card.querySelector(".cl-number-offline");
  try {
    const answer = await fetch(card.dataset.live, { cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
    offline.hidden = true;
    if (answer.status === 404) return location.reload();
    if (answer.status === 200) {
      etag = answer.headers.get("ETag") ?? "";
      const value = await answer.json();
      waits = value.ask ?? waits;
      if (value.state !== card.dataset.state) {
        if (value.state === "CALLED") navigator.vibrate?.([300, 150, 300]);
        // checked in or out: buttons differ, so the page is asked for anew
        if ([value.state, card.dataset.state].some((one) => ["EXPECTED", "MISSED", "LEFT"].includes(one))) return location.reload();
        card.classList.replace(`is-${card.dataset.state.toLowerCase()}`, `is-${value.state.toLowerCase()}`);
        card.dataset.state = value.state;
      }
      put(value);
    }
  } catch {
    offline.hidden = false;
  }
  again();
}

function again() {
  clearTimeout(timer);
  // not all phones at the same moment
  timer = setTimeout(ask, waits * 1000 * (0.85 + Math.random() * 0.3));
}

if (card) {
  again();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) ask();
  });
}
