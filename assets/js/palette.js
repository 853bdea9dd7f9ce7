/** Ctrl K or / opens the search; arrows choose, Enter goes. Without JavaScript the search box is a plain form. */
import htmx from "htmx.org";

const palette = document.getElementById("palette");
const input = palette?.querySelector("input");
const results = palette?.querySelector("#palette-results");

function open(text = "") {
  if (!palette || palette.open) return;
  palette.showModal();
  input.value = text;
  input.focus();
  input.setSelectionRange(text.length, text.length);
  htmx.trigger(input, "search-now");
}

const typing = (element) => element.closest?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  const search = (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing(event.target));
  if (!search || event.isComposing || event.altKey || !palette || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  open();
});

// The box in the top bar is the door to the palette: a click or the first letter opens it (mere focus does not, so that
// the Tab key can pass by).
for (const kind of ["click", "input"]) {
  document.addEventListener(kind, (event) => event.target.matches?.("[data-palette-door]") && open(event.target.value));
}

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-palette-open]") || !palette) return;
  event.preventDefault();
  open();
});

const links = () => [...results.querySelectorAll("a")];
function select(link) {
  links().forEach((other) => {
    other.classList.toggle("is-selected", other === link);
    other.setAttribute("aria-selected", String(other === link));
  });
  input.setAttribute("aria-activedescendant", link?.id ?? "");
  link?.scrollIntoView({ block: "nearest" });
}

input?.addEventListener("keydown", (event) => {
  // While an input method composes Chinese, Enter and the arrows belong to it.
  if (event.isComposing) return;
  const all = links();
  const at = all.findIndex((link) => link.classList.contains("is-selected"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    select(all[(at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    (all[at] ?? all[0])?.click();
  }
});

results?.addEventListener("htmx:afterSwap", () => {
  links().forEach((link, n) => {
    link.id = `palette-result-${n}`;
    link.setAttribute("role", "option");
    link.tabIndex = -1;
  });
  select(links()[0]);
});

palette?.addEventListener("click", (event) => event.target === palette && palette.close());
palette?.addEventListener("close", () => document.querySelectorAll("[data-palette-door]").forEach((door) => (door.value = "")));
