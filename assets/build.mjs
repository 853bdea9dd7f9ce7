/**
 * Bundles style sheets, scripts and the icon sprite into careloop/web/static/build/ (git-ignored).
 *
 * The staff area is served under `default-src 'self'`, which also forbids `data:` pictures. Tabler's style sheet draws
 * check marks and arrows with data: URLs, so every one of them is written out as a file of its own.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.CARELOOP_ASSETS_OUT ?? join(here, "..", "careloop", "web", "static", "build");

/** Turns url("data:image/svg+xml,…") into url("./img-<hash>.svg") and writes that file. */
const dataUrlsToFiles = {
  name: "data-urls-to-files",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      const files = new Map();
      const contents = css.replace(/url\("data:image\/svg\+xml,([^"]*)"\)/g, (_, encoded) => {
        const svg = decodeURIComponent(encoded);
        const name = `img-${createHash("sha256").update(svg).digest("hex").slice(0, 10)}.svg`;
        files.set(name, svg);
        return `url("./${name}")`;
      });
      await Promise.all([...files].map(([name, svg]) => writeFile(join(out, name), svg)));
      if (/url\(["']?data:/.test(contents)) throw new Error(`${path}: a data: URL is left; the policy would block it`);
      return { contents, loader: "css" };
    });
  },
};

/** One sprite of all icons in assets/icons; each becomes <symbol id="name">. */
async function sprite() {
  const names = (await readdir(join(here, "icons"))).filter((name) => name.endsWith(".svg")).sort();
  const symbols = await Promise.all(
    names.map(async (name) => {
      const svg = await readFile(join(here, "icons", name), "utf8");
      const inside = svg
        .slice(svg.indexOf(">") + 1, svg.lastIndexOf("</svg>"))
        .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, "")
        .replace(/\s*\n\s*/g, "");
      const stroke = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
      return `<symbol id="${name.slice(0, -4)}" viewBox="0 0 24 24" ${stroke}>${inside}</symbol>`;
    }),
  );
  await writeFile(join(out, "icons.svg"), `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`);
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await esbuild.build({
  absWorkingDir: here,
  entryPoints: {
    app: "js/app.js", portal: "js/portal.js", charts: "js/charts.js", number: "js/number.js", screen: "js/screen.js",
    styles: "css/app.css",
  },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  external: ["./img-*.svg"],
  legalComments: "linked",
  plugins: [dataUrlsToFiles],
  logLevel: "warning",
});
await sprite();
