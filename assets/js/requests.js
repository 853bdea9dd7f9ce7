/** htmx with our token on every request, and a sentence for the person when one fails. */
import htmx from "htmx.org";
import { cookie, onContent, toast, word } from "./page.js";

window.htmx = htmx;
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // pages hold patients' data: never kept in the browser's storage
htmx.config.scrollBehavior = "instant";
// 422 carries a form with its errors: show it in place. Other failures become a message.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "422", swap: true },
  { code: "[45]..", swap: false, error: true },
];

function token() {
  return (
    document.querySelector('meta[name="csrf-token"]')?.content ||
    document.querySelector('input[name="csrfmiddlewaretoken"]')?.value ||
    cookie("csrftoken")
  );
}

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token();
});

document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  // Our own refusals answer a fragment with one sentence in [data-error]; anything else gets a general sentence.
  const sentence = new DOMParser().parseFromString(responseText, "text/html").querySelector("[data-error]")?.textContent.trim();
  const general = status === 403 ? word("forbidden") : status === 404 ? word("notFound") : word("failed");
  toast(sentence || general, "danger");
});
document.addEventListener("htmx:sendError", () => toast(word("offline"), "danger"));
document.addEventListener("htmx:timeout", () => toast(word("offline"), "danger"));

document.addEventListener("allauth.error", () => toast(word("passkey"), "warning"));

// The server may ask for a message with the header HX-Trigger: {"toast": {"text": …, "tone": …}}.
document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.tone));

document.addEventListener("click", (event) => {
  event.target.closest?.("[data-dismiss]")?.closest(".cl-toast")?.remove();
});

// Good news leaves by itself; warnings and errors stay until they are read.
onContent(".cl-toast", (item) => leaveLater(item));
new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach((node) => node.classList?.contains("cl-toast") && leaveLater(node));
}).observe(document.getElementById("messages") ?? document.body, { childList: true });

function leaveLater(item) {
  if (item.dataset.leaves || item.classList.contains("is-danger") || item.classList.contains("is-warning")) return;
  item.dataset.leaves = "yes";
  setTimeout(() => item.matches(":hover, :focus-within") || item.remove(), 8000);
}

// A form sent twice by a double click is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 3000);
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
