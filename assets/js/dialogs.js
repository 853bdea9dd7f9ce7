/**
 * <a href="/…/confirm/" data-dialog> opens that page's form in a dialog. The address works as a page of its own too;
 * asked by htmx it answers just the form. A form in the dialog that answers 422 is shown again with its errors; any other
 * answer is a redirect, which the browser follows.
 */
import htmx from "htmx.org";

const dialog = document.getElementById("dialog");

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (link && dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    dialog.opener = link;
    htmx.ajax("GET", link.href, { target: "#dialog-content", swap: "innerHTML" }).then(() => {
      if (!dialog.querySelector("#dialog-content").childElementCount || dialog.open) return;
      dialog.showModal();
      const heading = dialog.querySelector("h1, h2");
      if (heading) {
        heading.id ||= "dialog-title";
        dialog.setAttribute("aria-labelledby", heading.id);
      }
      (dialog.querySelector("[autofocus]") ?? dialog.querySelector("input:not([type=hidden]), textarea, select, button"))?.focus();
    });
    return;
  }
  if (event.target.closest?.("[data-dialog-close]") && dialog?.open) {
    event.preventDefault();
    dialog.close();
  }
  if (event.target === dialog) dialog.close(); // a click on the darkened page around it
});

dialog?.addEventListener("close", () => {
  dialog.querySelector("#dialog-content").replaceChildren();
  dialog.opener?.focus();
});

// Forms inside the dialog go through htmx, so that mistakes are shown without leaving the page.
document.addEventListener("htmx:load", (event) => {
  if (!event.detail.elt.closest?.("#dialog-content")) return;
  dialog.querySelectorAll("form[method=post]:not([hx-post]):not([data-download])").forEach((form) => {
    form.setAttribute("hx-post", form.getAttribute("action") || dialog.opener.href);
    form.setAttribute("hx-target", "#dialog-content");
    form.setAttribute("hx-swap", "innerHTML");
    htmx.process(form);
  });
});

// A file is fetched by the browser itself, beside the page; once it is asked for, the dialog has done its work.
document.addEventListener("submit", (event) => {
  if (dialog?.open && event.target.closest("#dialog-content [data-download]")) setTimeout(() => dialog.close());
});
