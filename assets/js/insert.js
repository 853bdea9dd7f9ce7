/** `<button data-insert="text">` puts text where the cursor was last; `data-scroll-end` lists stay at their newest line. */
let last = null;

document.addEventListener("focusin", ({ target }) => {
  if (target.matches("textarea, input.form-control") && !target.readOnly) last = target;
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-insert]");
  if (!button) return;
  const field = last ?? button.closest("form")?.querySelector("textarea");
  if (!field) return;
  field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

let lines = -1;
function toEnd() {
  const list = document.querySelector("[data-scroll-end]");
  if (list && list.childElementCount !== lines) list.scrollTop = list.scrollHeight;
  lines = list ? list.childElementCount : -1;
}
document.addEventListener("htmx:afterSettle", toEnd);
document.addEventListener("DOMContentLoaded", toEnd);
toEnd();
