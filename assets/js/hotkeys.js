/** <button data-hotkey="F8"> is pressed by that key, as long as nobody writes in a field and no dialog is open. */
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches?.("input:not([type=hidden]), textarea, select")) return;
  const button = document.querySelector(`[data-hotkey="${CSS.escape(event.key)}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

// What htmx swaps in does not take the focus by itself; the one button does, unless somebody is busy elsewhere.
document.addEventListener("htmx:load", (event) => {
  const idle = !document.activeElement || document.activeElement === document.body;
  if (idle) event.detail.elt.querySelector?.("[autofocus]")?.focus({ preventScroll: true });
});
