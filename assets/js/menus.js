/** Menus are <details class="cl-menu">: one open at a time, closed by Escape or a click elsewhere, arrows move inside. */
const openMenus = () => document.querySelectorAll("details.cl-menu[open]");

document.addEventListener("click", (event) => {
  const inside = event.target.closest?.("details.cl-menu");
  openMenus().forEach((menu) => menu !== inside && menu.removeAttribute("open"));
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.cl-menu[open]");
  if (event.key === "Escape") {
    openMenus().forEach((open) => open.removeAttribute("open"));
    menu?.querySelector("summary").focus();
  }
  if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll(".cl-menu-panel :is(a, button)")];
  const step = event.key === "ArrowDown" ? 1 : -1;
  const at = items.indexOf(document.activeElement);
  items[at < 0 ? (step > 0 ? 0 : items.length - 1) : (at + step + items.length) % items.length]?.focus();
});

// <details data-keep-open="name"> stays as the reader left it, on this page and the next.
const remembered = (name) => `careloop.open.${name}`;
document.addEventListener("toggle", (event) => {
  const name = event.target.dataset?.keepOpen;
  if (name) sessionStorage.setItem(remembered(name), event.target.open ? "yes" : "no");
}, true);
const restore = (root) => root.querySelectorAll?.("details[data-keep-open]").forEach((details) => {
  const was = sessionStorage.getItem(remembered(details.dataset.keepOpen));
  if (was) details.open = was === "yes";
});
restore(document);
document.addEventListener("htmx:load", (event) => restore(event.detail.elt));
