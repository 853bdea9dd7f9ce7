/** Light, dark or as the device says. Kept in a cookie, so the server renders the right one and nothing flashes. */
document.addEventListener("submit", (event) => {
  const chosen = event.target.matches("[data-theme-form]") && event.submitter?.value;
  if (!chosen) return;
  event.preventDefault();
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `careloop_theme=${chosen}; path=/; max-age=31536000; SameSite=Lax${secure}`;
  if (chosen === "auto") document.documentElement.removeAttribute("data-bs-theme");
  else document.documentElement.setAttribute("data-bs-theme", chosen);
  event.target.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(button === event.submitter)));
  event.target.closest("details")?.removeAttribute("open");
  document.dispatchEvent(new CustomEvent("careloop:theme"));
});
