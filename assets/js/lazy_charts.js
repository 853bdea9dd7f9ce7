/** The chart library is large: it is loaded only by pages that have a chart. */
import { onContent } from "./page.js";

const address = document.querySelector('meta[name="careloop-charts"]')?.content;
let library;

onContent("[data-chart]", async (element) => {
  if (!address) return;
  library ??= import(address);
  const { draw } = await library;
  draw(element);
});
