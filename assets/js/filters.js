/** <form data-autosubmit> sends itself when a choice changes, and half a second after the last key in a text box. */
let waiting;

function send(form) {
  clearTimeout(waiting);
  form.requestSubmit();
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (form) send(form);
});

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (!form || event.isComposing || !event.target.matches("input[type=text], input[type=search], input:not([type])")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => send(form), 500);
});

// Empty filters stay out of the address.
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("form[data-autosubmit], form[data-lean]")) return;
  for (const [name, value] of [...event.formData.entries()]) if (value === "") event.formData.delete(name);
});

// <input type="checkbox" data-check-all="name"> ticks every checkbox of that name in its form.
document.addEventListener("change", (event) => {
  const name = event.target.dataset?.checkAll;
  if (!name) return;
  const scope = event.target.closest("form, table") ?? document;
  scope.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`).forEach((box) => (box.checked = event.target.checked));
});
