// Bundles the scripts and the style of the pages into convviz/report/static/, and those of the notebook
// widget into convviz/report/widgets/static/.
// Usage: npm ci --ignore-scripts && node build.mjs [--check]
import { build, transform } from "esbuild";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const checkOnly = process.argv.includes("--check");
const source = (name) => join(here, "src", name);
const SHARED = {
  absWorkingDir: here, bundle: true, minify: true, target: ["es2022"], charset: "utf8", legalComments: "none",
  metafile: true, logLevel: "warning",
};
const noWebGL = source("widget/no_webgl.js");
const BUILDS = [
  {
    target: "report",
    options: { entryPoints: ["app.js", "map.js", "live.js", "style.css"].map(source), format: "iife" },
  },
  {
    target: "report/widgets",
    options: {
      entryPoints: [source("widget.js")], format: "esm", alias: { "@deck.gl/core": noWebGL, "@deck.gl/layers": noWebGL },
    },
    styles: "widget.css",
  },
];

/** Returns "node_modules/NAME" for a bundled input, or null for a source of this project. */
function packageOf(input) {
  const parts = input.split("node_modules/");
  if (parts.length < 2) return null;
  const [scope, name] = parts.at(-1).split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** Returns the licence texts of all bundled packages. */
function licences(metafile) {
  const bundled = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).filter(([, part]) => part.bytesInOutput > 0).map(([name]) => name),
  );
  const packages = [...new Set(bundled.map(packageOf).filter(Boolean))].sort();
  return packages.map((name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).sort().find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}`.trim();
  }).join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

/** Returns the styles of the pages inside .convviz-widget, so that they do not change the notebook around it. */
async function widgetStyle(name) {
  const files = ["style.css", "pages.css", "live.css"].map((file) => readFileSync(source(file), "utf8"));
  const pages = files.join("\n").replace(/^@import.*$/gm, "").replace(/^html .*$/gm, "").replace(/^(\s*)(:root|body) /gm, "$1& ");
  const contents = `.convviz-widget {\n${pages}\n}\n${readFileSync(source(name), "utf8")}`;
  const { code } = await transform(contents, { loader: "css", minify: true, target: ["chrome110", "firefox115", "safari16"] });
  return code;
}

/** Builds the files of a target into a folder. */
async function buildInto(folder, { options, styles }) {
  const { metafile } = await build({ ...SHARED, ...options, outdir: folder });
  if (styles) writeFileSync(join(folder, styles), await widgetStyle(styles));
  writeFileSync(join(folder, "LICENSES.txt"), licences(metafile));
}

/** Returns the files of two folders that differ. */
function differences(built, committed) {
  const names = new Set([...readdirSync(built), ...readdirSync(committed)]);
  const bytes = (folder, name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : Buffer.from("missing"));
  return [...names].filter((name) => !bytes(built, name).equals(bytes(committed, name)));
}

for (const target of BUILDS) {
  const folder = join(here, "..", "convviz", target.target, "static");
  if (!checkOnly) {
    await buildInto(folder, target);
    continue;
  }
  const temporary = mkdtempSync(join(tmpdir(), "convviz-web-"));
  await buildInto(temporary, target);
  const wrong = differences(temporary, folder);
  const count = readdirSync(temporary).length;
  rmSync(temporary, { recursive: true });
  if (wrong.length) {
    console.error(`convviz/${target.target}/static is not built from web/src: ${wrong.join(", ")}; run node web/build.mjs`);
    process.exit(1);
  }
  console.log(`${count} files of convviz/${target.target}/static are those that web/src builds`);
}
