/** <button data-copy="text"> puts the text on the clipboard and says so. */
import { toast, word } from "./page.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    toast(word("copied"), "success");
  } catch {
    toast(word("copyFailed"), "warning");
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-print]")) window.print();
});
