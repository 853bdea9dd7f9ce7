/** The patients' pages work without this. It keeps the pages' style for when there is no net, and counts down a held place. */
const here = document.querySelector("script[data-worker]");
if (here && "serviceWorker" in navigator && window.isSecureContext) {
  navigator.serviceWorker.register(here.dataset.worker, { scope: here.dataset.scope }).catch(() => {});
}

const held = document.querySelector("[data-until]");
if (held) {
  const until = Date.parse(held.dataset.until);
  const left = document.createElement("span");
  left.setAttribute("aria-hidden", "true");
  held.append(left);
  const show = () => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    left.textContent = `(${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")})`;
    if (seconds > 0) setTimeout(show, 1000);
  };
  show();
}
