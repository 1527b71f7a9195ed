// The view of one unit: its top patches, values, classes, similar units, and how to get them.
import {
  address, CopyButton, count, csv, download, hashWith, html, loadChunk, loadItem, markReady, number, percent,
  Problem, readState, setState, useAddress, useEffect, useKeys, useLoaded, useRef, useState,
} from "./core.js";
import { GuidedNotes, GuidedStatus, useGuided } from "./guided.js";
import { Histogram, PeakHistogram, stratumName } from "./histogram.js";
import { ofFirstRun, siteOfSecond } from "./names.js";
import { Patch } from "./patch.js";

const KEPT = 200; // units
const PATIENCE_MS = 200; // for the patches, before the other sections are shown
const MODES = { crop: "Patch", whole: "Whole image", guided: "Guided gradient" };
const KEYS = { whole: "Whole photos with the patch marked (w)", guided: "Pixels that drive the unit (g)" };

/** Returns a word as a shell reads it. */
const quoted = (word) => (/^[\w.\-/]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Returns the line that draws the pictures of a unit. */
const shellLine = (layer, unit) => `${layer.shell} ${quoted(layer.name)} --unit ${unit}`;

const block = (unit, size) => String(Math.floor(unit / size)).padStart(3, "0");

const loaded = new Map(); // address of a unit -> its record, of the units loaded last
const addressOf = (slug, unit, kind = "units") => `${slug}/${kind}/${unit}`;

/** Returns whether a unit is there without waiting. */
export const isLoaded = (slug, unit) => loaded.has(addressOf(slug, unit));

/** Returns a promise of a unit's record with the images of its patches. */
export async function loadUnit(slug, unit, data, kind = "units") {
  const address = addressOf(slug, unit, kind);
  const record = loaded.get(address) ?? (await readUnit(slug, unit, data, kind));
  if (!loaded.has(address)) loaded.set(address, record);
  if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
  return loaded.get(address);
}

async function readUnit(slug, unit, data, kind) {
  const records = await loadChunk(`layer/${slug}/${kind}-${block(unit, data.block)}`);
  const record = records[unit % data.block];
  const patches = await Promise.all(record.patches.map(async (patch) => ({
    ...patch, image: patch.row === null ? null : await loadItem(patch.row),
  })));
  return { ...record, patches };
}

/** Loads a unit and its photos ahead of its view; returns a promise that resolves when the unit is there. */
export function preloadUnit(slug, unit, data) {
  return loadUnit(slug, unit, data).then(
    ({ patches }) => {
      for (const { image } of patches) if (image?.preview) new Image().src = address(image.preview);
    },
    () => {}, // the view of the unit says what is missing
  );
}

/** Returns a promise that resolves when the pictures of an element have been painted, or after a while. */
async function painted(element) {
  const loading = [...element.querySelectorAll("img")].filter((image) => !image.complete);
  const ended = (image) => new Promise((resolve) => ["load", "error"].forEach((name) => image.addEventListener(name, resolve)));
  const wait = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  await Promise.race([Promise.all(loading.map(ended)), wait]);
  // Hidden pages have no frames, so a timer does as well.
  const nextFrame = new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  await Promise.race([nextFrame, wait]);
}

/**
 * The view of a unit. Head and patches are shown first; the sections that follow keep what they show until
 * the patches are on the screen. `onShown` is then called.
 */
export function Unit({ unit, units, data, layer, site, slug, meant, onShown }) {
  const state = useAddress();
  const [awaited, error] = useLoaded(() => loadUnit(slug, unit, data), [slug, unit]);
  const record = loaded.get(addressOf(slug, unit)) ?? awaited; // at once, so that the elements of the former unit stay
  const jump = useRef(null);
  const place = units.indexOf(unit);
  const go = (step) => {
    const next = place < 0 ? units[0] : units[(place + step + units.length) % units.length];
    if (next !== undefined) setState({ unit: next });
  };
  const isReady = record?.unit === unit;
  const mode = state.view in MODES ? state.view : "crop";
  const guided = useGuided({ layer, unit, record: isReady ? record : null, site, isWanted: isReady && mode === "guided" && record.patches.length > 0 });
  const show = (name) => setState({ view: name === "crop" ? null : name }, { replace: true });
  const toggle = (name) => show(readState().view === name ? "crop" : name);
  useKeys({
    ArrowLeft: () => go(-1),
    ArrowRight: () => go(1),
    w: () => toggle("whole"),
    g: () => toggle("guided"),
    j: () => jump.current?.focus(),
    Escape: () => setState({ unit: null }),
  });
  const [settled, setSettled] = useState(null);
  const patches = useRef(null);
  useEffect(() => {
    if (error) markReady();
    if (!isReady) return;
    let isCurrent = true;
    painted(patches.current).then(() => isCurrent && setSettled({ unit, record }));
    return () => (isCurrent = false);
  }, [record, error]);
  useEffect(() => {
    if (!settled) return;
    markReady();
    onShown();
    const next = units[units.indexOf(settled.unit) + 1];
    if (next !== undefined) loadUnit(slug, next, data).catch(() => {});
  }, [settled]);
  if (error) return html`<${Problem} error=${error} />`;
  if (!isReady) return html`<div class="unit-head"><h2 class="unit-name">unit ${unit}</h2></div>`;
  const top = html`<section class="card" aria-labelledby="patches-title" ref=${patches}>
    <div class="card-head">
      <h3 id="patches-title">Top patches${ofFirstRun(site)}</h3>
      ${record.patches.length > 0 && html`<div class="segments" role="group" aria-label="View">
        ${Object.entries(MODES).map(([name, words]) => html`<button type="button" key=${name} aria-pressed=${String(mode === name)}
          onClick=${() => show(name)} title=${KEYS[name]}>${words}</button>`)}
      </div>`}
    </div>
    <${Patches} ...${{ unit, record, layer, mode, site, meant, guided }} />
  </section>`;
  const peaks = settled && layer.has_patches && html`<${Peaks} ...${{ record: settled.record, mode, site }} />`;
  const evidence = settled && html`<${Evidence} ...${{ record: settled.record, layer, site, state }} />`;
  return html`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${site.model}</a> › ${layer.name} › </p>
      <h2 class="unit-name">unit ${unit}</h2>
      <${Badges} ...${{ unit, data }} />
      <div class="unit-keys">
        <button type="button" onClick=${() => go(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${() => go(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${jump} min="0" max=${data.count - 1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${(event) => event.key === "Enter" && event.target.value !== "" &&
            setState({ unit: Math.min(data.count - 1, Math.max(0, Math.trunc(event.target.valueAsNumber))) })} />
        <${CopyButton} text=${() => location.href}>Copy link<//>
        <button type="button" onClick=${() => setState({ unit: null })} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${Facts} ...${{ unit, data, record, layer }} />
    ${layer.second
      ? html`<div class="unit-body of-two">${top}<${InSecondRun} ...${{ unit, data, layer, site, slug, mode, meant }} />${peaks}${evidence}</div>`
      : html`<div class="unit-body"><div class="stack">${top}${peaks}</div><div class="stack">${evidence}</div></div>`}
    ${settled && html`<${Similar} ...${{ record: settled.record, layer, slug }} />
      <${Source} ...${{ ...settled, data, layer, site, slug }} />`}`;
}

/** The values of the unit and the classes it fires for. */
function Evidence({ record, layer, site, state }) {
  return html`
    ${record.histogram && html`<section class="card" aria-labelledby="values-title">
      <h3 id="values-title">Values at all positions of all images${ofFirstRun(site)}</h3>
      <${Histogram} ...${record.histogram} />
    </section>`}
    <${Classes} ...${{ record, layer, site, state }} />
    ${record.matters && html`<${Matters} ...${record.matters} />`}`;
}

function Badges({ unit, data }) {
  const twin = data.duplicates[unit];
  return html`
    ${data.dead.includes(unit) && html`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${data.silent.includes(unit) && html`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${twin !== undefined && html`<a class="badge" href=${hashWith({ unit: twin })}
      title="nearly the same top patches">near-duplicate of ${twin}</a>`}`;
}

export function Facts({ unit, data, record, layer }) {
  const of = (name) => data.columns[name]?.[unit];
  const facts = [
    ["maximum", number(of("max")), rankWords(record, data)],
    ["mean", number(of("mean"))],
    ["fires in", percent(of("fires")), "of the images"],
    ["active at", percent(of("active")), "of the positions"],
    ["selectivity", number(of("selectivity"), 2), "0 to 1"],
    ["prominence", number(of("prominence"), 2)],
  ].filter(([, value]) => value !== "–");
  return html`<dl class="facts unit-facts">
    ${facts.map(([name, value, remark]) => html`<div key=${name}><dt>${name}</dt>
      <dd>${value} ${remark && html`<small>${remark}</small>`}</dd></div>`)}
    ${layer.field && html`<div><dt>receptive field</dt><dd>${layer.field.replace(/ pixels of the model's input$/, "")} <small>input pixels</small></dd></div>`}
  </dl>`;
}

/** Returns the rank of a unit; units with the same maximum share it. */
function rankWords({ rank, tied }, data) {
  return `rank ${count(rank)} of ${count(data.count)}${tied > 1 ? `, shared by ${count(tied)}` : ""}`;
}

function Patches({ unit, record, layer, mode, site, meant, guided }) {
  if (!layer.has_patches) return html`<p class="note">The run has no patches of this layer.</p>`;
  if (!record.patches.length) return html`<p class="note">No image activates this unit, so it has no patches.</p>`;
  const highest = record.patches[0].value;
  const isMeant = record.patches.map(({ image }) => meant.has(image?.label));
  const hits = isMeant.filter(Boolean).length;
  return html`${meant.size > 0 && html`<p class="note meant-note">${hits} of ${record.patches.length} patches are of
    ${meant.size === 1 ? ` “${site.classes[[...meant][0]]}”` : " the classes in Find"}.</p>`}
  ${mode === "guided" && html`<${GuidedStatus} ...${{ guided, site, layer, shell: shellLine(layer, unit) }} />`}
  <ol class=${`patches is-${mode}${mode === "guided" && site.live && !guided.place ? " waits" : ""}`}>
    ${record.patches.map((patch, rank) => html`<li key=${rank}>
      <${Patch} ...${{ patch, rank, mode, site, highest, guided: guided?.place ? { ...guided.place, rank } : null, isMeant: !hits || isMeant[rank] }} />
    </li>`)}
  </ol>
  ${mode === "whole" && html`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${mode === "guided" && html`<${GuidedNotes} guided=${guided} />`}`;
}

/** The distribution of the unit's highest value over all images, with examples at several ranks. */
function Peaks({ record, mode, site }) {
  const { peaks } = record;
  if (!peaks) {
    return record.patches.length > 0 && html`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run has no highest values of all images.</p></section>`;
  }
  return html`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image${ofFirstRun(site)}</h3>
    <${PeakHistogram} ...${peaks} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${peaks.strata.map((stratum) => html`<${Stratum} key=${stratum.share} ...${{ ...stratum, mode, site, total: peaks.counts.reduce((sum, n) => sum + n, 0) }} />`)}
    </div>
  </section>`;
}

function Stratum({ share, examples, mode, site, total }) {
  const [images] = useLoaded(() => Promise.all(examples.map(({ row }) => (row === null ? null : loadItem(row)))), [examples]);
  const ranks = examples.map(({ rank }) => rank);
  const range = `${count(ranks[0])}${ranks.length > 1 ? `–${count(ranks.at(-1))}` : ""}`;
  return html`<div>
    <h4>${stratumName(share)} <small>rank ${range} of ${count(total)}</small></h4>
    <ol class="examples">
      ${examples.map((example, i) => html`<li key=${i}><${Patch} ...${{
        patch: { ...example, image: images?.[i] ?? null }, rank: example.rank - 1, mode: mode === "guided" ? "crop" : mode,
        site, guided: null, isMeant: true, isLoading: !images,
      }} /></li>`)}
    </ol>
  </div>`;
}

function Classes({ record, layer, site, state }) {
  if (!record.classes.length) {
    return html`<section class="card"><h3>Classes</h3><p class="note">
      ${site.classes.length ? "No class makes this unit fire." : "The images have no labels, so there are no classes."}</p></section>`;
  }
  const highest = Math.max(...record.classes.map((entry) => entry.lift));
  return html`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for${ofFirstRun(site)}</h3>
    <ol class="bars">
      ${record.classes.map((entry) => {
        const name = site.classes[entry.class] ?? String(entry.class);
        const isChosen = state.class === name;
        return html`<li key=${entry.class}>
          <button type="button" aria-pressed=${String(isChosen)} onClick=${() => setState({ class: isChosen ? null : name })}>
            <span class="bar-name">${name}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${(100 * entry.lift) / highest} height="6" /></svg></span>
            <span class="bar-value">${number(entry.lift, 2)} ×</span>
            <span class="bar-count">${entry.count} of ${entry.of}</span>
          </button></li>`;
      })}
    </ol>
    <p class="note">Lift: ${layer.meaning}. A click filters patches and units.</p>
  </section>`;
}

/** The classes whose scores drop when the unit is switched off. */
function Matters({ images, set_to, classes }) {
  const highest = Math.max(...classes.map(({ drop }) => drop));
  return html`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${classes.length === 0 && html`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${classes.map(({ name, drop }) => html`<li key=${name} class="bar-row">
        <span class="bar-name">${name}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${(100 * drop) / highest} height="6" /></svg></span>
        <span class="bar-value">${number(drop, 2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${set_to}, ${images === 1 ? "on one image" : `mean over ${count(images)} images`}.</p>
  </section>`;
}

function Similar({ record, layer, slug }) {
  if (!record.similar.length && !record.similar_weights.length) return null;
  const columns = record.patches.length;
  return html`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${SimilarRow} title="by common top images" ...${{ layer, slug }}
        entries=${record.similar.map(({ unit, shared }) => [unit, `${shared} of ${columns}`])} />
      <${SimilarRow} title=${`by incoming weights (cosine, ${layer.weights})`} ...${{ layer, slug }}
        entries=${record.similar_weights.map(({ unit, cosine }) => [unit, cosine.toFixed(2)])} />
    </div>
  </section>`;
}

function SimilarRow({ title, entries, layer, slug }) {
  if (!entries.length) return null;
  return html`<div><h4>${title}</h4><ul class="similar">
    ${entries.map(([unit, text]) => html`<li key=${unit}><a href=${hashWith({ unit })}>
      <${SheetTile} ...${{ unit, layer, slug }} /><b>${unit}</b> <span>${text}</span></a></li>`)}
  </ul></div>`;
}

/** The tile of a unit from the contact sheet, by the classes of its style sheet. */
function SheetTile({ unit, layer, slug }) {
  const tile = document.querySelector(`#sheet [data-unit="${unit}"] .tile`);
  const index = unit % 512;
  const name = tile?.className ?? (layer.sheets.length ? `tile sheet-${slug}-${Math.floor(unit / 512)} x${index % 32} y${Math.floor(index / 32)}` : "tile missing");
  return html`<span class=${name}></span>`;
}

/** Returns the record of a unit whose patches have the predictions of the second run. */
const inSecondRun = (record) => ({
  ...record, patches: record.patches.map((patch) => ({ ...patch, image: patch.image && { ...patch.image, ...patch.image.second } })),
});

/** The same unit in the second run. */
function InSecondRun({ unit, data: first, layer, site, slug, mode, meant }) {
  const changed = first.columns.changed?.[unit];
  const { second } = layer;
  const [loaded, error] = useLoaded(async () => {
    if (unit >= second.count) return null;
    const data = await loadChunk(`layer/${slug}/second`);
    return { data, record: await loadUnit(slug, unit, data, "second") };
  }, [unit]);
  if (error) return html`<${Problem} error=${error} />`;
  if (loaded === undefined) return null;
  return html`<section class="card" aria-labelledby="second-title">
    <div class="card-head"><h3 id="second-title">The same unit in ${second.run} (${second.model})</h3></div>
    ${loaded !== null && changed !== undefined && changed !== null && html`<p class="note">${percent(1 - changed)} of the top
      images that both runs have are the same.</p>`}
    ${loaded === null ? html`<p class="note">${second.count ? "This run has no such unit." : "This run has no results of this layer."}</p>` : html`
      <${Patches} ...${{ record: { ...inSecondRun(loaded.record), guided: null }, layer: { has_patches: second.has_patches }, mode: mode === "guided" ? "crop" : mode, meant,
        site: siteOfSecond(site) }} />
      <${Facts} ...${{ unit, data: loaded.data, record: loaded.record, layer: { field: "" } }} />`}
  </section>`;
}

function Source({ unit, record, data, layer, site, slug }) {
  const shell = shellLine(layer, unit);
  const python = `convviz.open_run(${JSON.stringify(layer.run)}).draw("patches", ${JSON.stringify(layer.name)}, units=${unit})`;
  const rows = record.patches.map((patch, rank) => [
    rank + 1, patch.value, patch.image?.name, patch.image?.label === null ? "" : site.classes[patch.image?.label],
    ...(patch.position ?? ["", ""]), ...(patch.box ?? ["", "", "", ""]),
  ]);
  const header = ["rank", "activation", "image", "class", "y", "x", "x0", "y0", "x1", "y1"];
  const name = `${slug}-unit-${unit}`;
  const columns = Object.fromEntries(Object.entries(data.columns).map(([key, values]) => [key, values[unit]]));
  const json = () => JSON.stringify({ layer: layer.name, ...record, numbers: columns, provenance: layer.provenance }, null, 1);
  return html`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${() => download(`${name}.csv`, csv(header, rows), "text/csv")}>CSV</button>
        <button type="button" onClick=${() => download(`${name}.json`, json(), "application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${shell}</code><${CopyButton} text=${shell}>Copy<//>
      <code>${python}</code><${CopyButton} text=${python}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(layer.provenance).map(([key, value]) => html`<div key=${key}><dt>${key}</dt>
        <dd class="plain">${key === "weights" ? html`<code>${value.slice(0, 16)}</code>` : value}</dd></div>`)}
    </dl>
  </section>`;
}
