// Bundles the scripts and the style of the pages into convviz/report/static/.
// Usage: npm ci --ignore-scripts && node build.mjs [--check]
import { build } from "esbuild";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "convviz", "report", "static");
const checkOnly = process.argv.includes("--check");
const out = checkOnly ? mkdtempSync(join(tmpdir(), "convviz-web-")) : target;
const ENTRIES = ["app.js", "map.js", "live.js", "style.css"];
const entryPoints = ENTRIES.map((name) => join(here, "src", name)).filter(existsSync);

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

const result = await build({
  absWorkingDir: here,
  entryPoints,
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
writeFileSync(join(out, "LICENSES.txt"), licences(result.metafile));

if (checkOnly) {
  const built = readdirSync(out).sort();
  const committed = readdirSync(target).sort();
  const differs = (name) => !committed.includes(name) || !built.includes(name) ||
    !readFileSync(join(out, name)).equals(readFileSync(join(target, name)));
  const wrong = [...new Set([...built, ...committed])].filter(differs);
  rmSync(out, { recursive: true });
  if (wrong.length) {
    console.error(`not built from web/src: ${wrong.join(", ")}; run node web/build.mjs`);
    process.exit(1);
  }
  console.log(`${built.length} files are those that web/src builds`);
}
