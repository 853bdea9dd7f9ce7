/** Small things the other modules share. */

/** Runs `enhance(element)` for every match now and in every fragment that arrives later. */
export function onContent(selector, enhance) {
  const run = (root) => {
    if (root.matches?.(selector)) enhance(root);
    root.querySelectorAll?.(selector).forEach(enhance);
  };
  run(document);
  document.addEventListener("htmx:load", (event) => run(event.detail.elt));
}

/** A sentence the server rendered in the reader's language (<template id="words" data-…>). */
export function word(name) {
  return document.getElementById("words")?.dataset[name] ?? "";
}

export function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** Shows `text` as a message in the corner; `tone` is info, success, warning or danger. */
export function toast(text, tone = "info") {
  const list = document.getElementById("messages");
  const shape = document.getElementById("toast-shape");
  if (!list || !shape) return;
  const item = shape.content.firstElementChild.cloneNode(true);
  item.classList.add(`is-${tone}`);
  if (tone === "danger") item.setAttribute("role", "alert");
  item.querySelector("p").textContent = text;
  list.append(item);
}
