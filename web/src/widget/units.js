// The unit browser of a notebook: the top patches of all units, and one unit with its evidence.
import { Lifts, meantClasses } from "../class_filter.js";
import { html, number, Problem, Tile, useEffect, useLoaded, useMemo, useState } from "../core.js";
import { Histogram } from "../histogram.js";
import { chosenUnits } from "../layer.js";
import { Patch } from "../patch.js";
import { Facts } from "../unit.js";
import { useTrait } from "./asker.js";

const BLOCK = 64; // units whose patches are cut at a time
const SIZE = 64;

export function Units({ model, ask, site }) {
  const [name, setLayer] = useTrait(model, "layer");
  const [unit, setUnit] = useTrait(model, "unit");
  const [sort, setSort] = useState("");
  const [words, setWords] = useState("");
  const layers = site.layers.filter((layer) => layer.pages.layer);
  const layer = layers.find((l) => l.name === name) ?? layers.at(-1);
  const [data, error] = useLoaded(() => ask("layer", { layer: layer.name }), [layer.name]);
  const choose = (next) => {
    if (layer.name !== name) setLayer(layer.name);
    setUnit(next);
  };
  const isCurrent = data?.name === layer.name;
  const meant = meantClasses(site, isCurrent ? data.with_images : [], words);
  const [match, isWaiting, liftsError] = useLifts(ask, layer, data, meant);
  const order = sort || (match ? "lift" : "");
  const units = isCurrent ? chosenUnits(data, { sort: order, class: isWaiting ? "" : words }, match) : [];
  const column = data?.columns[sort] ?? data?.columns.max;
  const textOf = (u) => (order === "lift" && match ? `${number(match.lift[u], 2)} ×` : number(column?.[u]));
  return html`<div class="stack">
    <div class="bar-of-controls">
      <label class="field">Layer <select name="layer" value=${layer.name} onChange=${(event) => {
        setUnit(null);
        setLayer(event.target.value);
      }}>${layers.map((l) => html`<option key=${l.name} value=${l.name}>${l.name}</option>`)}</select></label>
      ${isCurrent && html`<label class="field">Sort by <select name="sort" value=${sort} onChange=${(event) => setSort(event.target.value)}>
        <option value="">${match ? "lift of the class" : "number"}</option>
        ${Object.entries(data.sorts).map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select></label>
      <label class="field">Find <input type="search" placeholder=${site.classes.length ? "classes or number" : "number"} value=${words}
        onInput=${(event) => setWords(event.target.value)} /></label>
      <span class="muted small" role="status">${units.length} of ${data.count} units</span>`}
    </div>
    ${(error ?? liftsError) && html`<${Problem} error=${error ?? liftsError} />`}
    ${isCurrent && html`<div class=${unit === null ? "" : "widget-split"}>
      <${Sheet} key=${`${layer.name} ${sort} ${words}`} ...${{ ask, layer, units, unit, textOf, choose }} />
      ${unit !== null && unit < data.count && html`<${Unit} ...${{ ask, layer, data, unit, units, site, choose, setWords }} />`}
    </div>`}
  </div>`;
}

/** Hook: the lifts of the classes that are meant or null, whether they are awaited, and an error. */
function useLifts(ask, layer, data, meant) {
  const isWanted = meant.labels.size > 0;
  const [chunk, error] = useLoaded(async () => (isWanted ? ask("classes", { layer: layer.name }) : null), [layer.name, isWanted]);
  const isLoaded = isWanted && chunk?.name === layer.name;
  const lifts = useMemo(() => (isLoaded ? new Lifts(chunk, data.count) : null), [isLoaded && chunk]);
  return [lifts && lifts.of(meant.labels), isWanted && !isLoaded, error];
}

/** The top patch of each unit, in blocks that are cut when they are shown. */
function Sheet({ ask, layer, units, unit, textOf, choose }) {
  const [blocks, setBlocks] = useState(1);
  const shown = units.slice(0, blocks * BLOCK);
  const parts = Array.from({ length: Math.ceil(shown.length / BLOCK) }, (_, i) => shown.slice(i * BLOCK, (i + 1) * BLOCK));
  return html`<div>
    <ul class="widget-sheet" aria-label="Units">
      ${parts.map((part) => html`<${Block} key=${part.join()} ...${{ ask, layer, part, unit, textOf, choose }} />`)}
    </ul>
    ${shown.length < units.length && html`<button type="button" onClick=${() => setBlocks(blocks + 1)}>
      Show ${Math.min(BLOCK, units.length - shown.length)} more</button>`}
  </div>`;
}

function Block({ ask, layer, part, unit, textOf, choose }) {
  const [tiles, error] = useLoaded(() => ask("tiles", { layer: layer.name, units: part }), [layer.name, part.join()]);
  if (error) return html`<li><${Problem} error=${error} /></li>`;
  return part.map((u, index) => html`<li key=${u}>
    <button type="button" aria-pressed=${String(u === unit)} aria-label=${`unit ${u}`} onClick=${() => choose(u)}>
      <${Tile} tile=${tiles?.missing.includes(index) === false ? { ...tiles, index } : null} size=${SIZE} />
      <b>${u}</b> <span class="muted">${textOf(u)}</span></button></li>`);
}

function Unit({ ask, layer, data, unit, units, site, choose, setWords }) {
  const [record, error] = useLoaded(() => ask("unit", { layer: layer.name, unit }), [layer.name, unit]);
  const [mode, setMode] = useState("crop");
  const step = (by) => choose(units[(units.indexOf(unit) + by + units.length) % units.length] ?? unit);
  if (error) return html`<${Problem} error=${error} />`;
  if (record?.unit !== unit) return html`<p class="muted" role="status">Cutting the patches of unit ${unit}…</p>`;
  const highest = record.patches[0]?.value;
  return html`<section class="card stack" aria-label=${`unit ${unit}`}>
    <div class="unit-head"><h3 class="unit-name">unit ${unit}</h3>
      ${data.dead.includes(unit) && html`<span class="badge bad">dead</span>`}
      <span class="unit-keys">
        <button type="button" aria-label="Previous unit" onClick=${() => step(-1)}>←</button>
        <button type="button" aria-label="Next unit" onClick=${() => step(1)}>→</button>
        <button type="button" aria-pressed=${String(mode === "whole")} onClick=${() => setMode(mode === "whole" ? "crop" : "whole")}>Whole images</button>
        <button type="button" aria-label="Close" onClick=${() => choose(null)}>✕</button></span></div>
    <${Facts} ...${{ unit, data, record, layer: data }} />
    ${record.patches.length > 0
      ? html`<ol class="patches is-${mode}">${record.patches.map((patch, rank) => html`<li key=${rank}>
          <${Patch} ...${{ patch, rank, mode, site, highest, guided: null, isMeant: true }} /></li>`)}</ol>`
      : html`<p class="note">${data.has_patches ? "No image activates this unit, so it has no patches." : "The run has no patches of this layer."}</p>`}
    ${record.classes.length > 0 && html`<p><span class="muted">Classes it fires for: </span>
      ${record.classes.slice(0, 5).map((entry) => html`<button type="button" class="quiet" key=${entry.class} title="Find units of this class"
        onClick=${() => setWords(site.classes[entry.class])}>${site.classes[entry.class]} ×${number(entry.lift, 2)}</button> `)}</p>`}
    ${record.histogram && html`<div><h3>Values at all positions of all images</h3><${Histogram} ...${record.histogram} /></div>`}
  </section>`;
}
