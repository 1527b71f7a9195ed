// The layer page: sorting and filtering of the contact sheet, which is already in the page, and
// the view of the unit that the address names.
import { completions, Lifts, meantClasses } from "./class_filter.js";
import {
  CopyButton, count, html, loadChunk, loadItem, loadSite, markReady, number, percent, Problem, readState, render, setState, subscribe,
  useAddress, useKeys, useRef,
} from "./core.js";
import { isLoaded, preloadUnit, Unit } from "./unit.js";

const SHOWN = {
  all: "all units",
  alive: "units that fire",
  dead: "dead units",
  silent: "silent units",
  twins: "near-duplicates",
};
const CARRIED = ["class", "sort", "show", "view"]; // parts of the state that links to other layers keep
const NAMED = 4;
const PATIENCE_MS = 100; // for a unit to be loaded, before its name alone is shown

/** Returns the order that the address selects, if the layer has it; otherwise that of lifts if classes are selected. */
const orderOf = (state, match, data) => {
  const isKnown = state.sort === "lift" ? match : state.sort === "unit" || Object.hasOwn(data.columns, state.sort ?? "");
  return isKnown ? state.sort : match ? "lift" : "unit";
};

/** Returns the units to show in order; `match` has the lifts of the classes that are selected. */
export function chosenUnits(data, state, match) {
  const dead = new Set(data.dead);
  const silent = new Set(data.silent);
  const twins = new Set(Object.entries(data.duplicates).flat().map(Number));
  const isShown = {
    all: () => true,
    alive: (unit) => !dead.has(unit),
    dead: (unit) => dead.has(unit),
    silent: (unit) => silent.has(unit),
    twins: (unit) => twins.has(unit),
  }[state.show] ?? (() => true);
  const text = (state.class ?? "").trim();
  const fits = (unit) => !text || String(unit) === text || (match && match.lift[unit] >= match.least);
  const units = [...Array(data.count).keys()].filter((unit) => isShown(unit) && fits(unit));
  const order = orderOf(state, match, data);
  const column = order === "lift" ? match?.lift : data.columns[order];
  if (!column) return units;
  const above = (values, a, b) => {
    const [first, second] = [values?.[a] ?? -Infinity, values?.[b] ?? -Infinity];
    return first === second ? 0 : second - first;
  };
  return units.sort((a, b) => above(column, a, b) || above(data.columns.mean, a, b) || a - b);
}

/** Puts the tiles of the contact sheet into an order and labels them with the sorted number. */
class Sheet {
  constructor(list, data, site) {
    this.list = list;
    this.data = data;
    this.site = site;
    this.dead = new Set(data.dead);
    this.tiles = new Map();
    for (const tile of list.children) this.tiles.set(Number(tile.firstElementChild.dataset.unit), tile);
    this.key = `unit  ${[...this.tiles.keys()].join()}`; // the order of the file
  }

  /** Shows units in this order. */
  show(units, order, match, text) {
    const key = `${order} ${match ? text : ""} ${units.join()}`;
    if (key === this.key) return;
    this.key = key;
    for (const unit of units) {
      const link = this.tiles.get(unit).firstElementChild;
      link.querySelector(".value").textContent = this.textOf(unit, order, match);
      const label = match && match.lift[unit] >= match.least ? this.site.classes[match.best[unit]] : "";
      this.setName(link, link.querySelector("small"), label);
    }
    this.list.replaceChildren(...units.map((unit) => this.tiles.get(unit)));
  }

  textOf(unit, order, match) {
    if (order === "lift") return `${number(match.lift[unit], 2)} ×`;
    if (order === "changed") return percent(this.data.columns.changed[unit]);
    if (order !== "unit") return number(this.data.columns[order]?.[unit] ?? this.data.columns.max[unit]);
    return this.dead.has(unit) ? "dead" : number(this.data.columns.max[unit]);
  }

  /** Shows the class that a unit fires for below its number, or removes it. */
  setName(link, element, text) {
    if (!text) return element?.remove();
    const place = element ?? link.appendChild(document.createElement("small"));
    place.textContent = text;
    place.title = text;
  }

  /** Marks a unit as the one in view. */
  mark(unit) {
    this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    this.tiles.get(unit)?.firstElementChild.setAttribute("aria-current", "true");
  }

  /** Scrolls the sheet to the tile of the unit in view. */
  revealMarked() {
    const link = this.list.querySelector("[aria-current]");
    if (!link) return;
    // Only the sheet is scrolled: scrollIntoView would move the page as well.
    const [tile, list] = [link.getBoundingClientRect(), this.list.getBoundingClientRect()];
    const isHidden = tile.top < list.top || tile.bottom > list.bottom;
    if (isHidden) this.list.scrollTop += (tile.top + tile.bottom - list.top - list.bottom) / 2;
  }
}

/** Returns names of classes in words, at most a few. */
function inWords(site, labels) {
  const names = [...labels].map((label) => site.classes[label]);
  const rest = names.length - NAMED;
  return rest > 1 ? `${names.slice(0, NAMED).join(", ")} and ${rest} more` : names.join(", ");
}

/** An example of a range of outputs: the dogs of ImageNet, or the first outputs of another model. */
function RangeExample({ site }) {
  const highest = Math.max(...(site.class_outputs ?? []).map((output) => output ?? -1));
  if (highest < 0) return null;
  const names = [site.outputs[151], site.outputs[268]].map((name) => String(name ?? "").toLowerCase());
  const isImageNet = names[0].startsWith("chihuahua") && names[1].startsWith("mexican hairless");
  const range = isImageNet ? "151-268" : `0-${Math.min(highest, 9)}`;
  return html`, or outputs of the model: <button type="button" class="quiet inline"
    onClick=${() => setState({ class: range })}>${range}</button>${isImageNet && " are the dogs of ImageNet"}`;
}

/** Which classes the text of Find means, and how to write others. */
function Meaning({ site, layer, meant, match }) {
  const hint = html`Several: <code>*terrier, *hound</code><${RangeExample} site=${site} />.`;
  if (!meant.labels.size && !meant.unknown.length) return null;
  const quoted = (terms) => terms.map((term) => `“${term}”`).join(", ");
  const python = `convviz.open_run(${JSON.stringify(layer.run)}).units(${JSON.stringify(layer.name)}, ${JSON.stringify(meant.patterns)}, ${JSON.stringify(layer.lifts_from)})`;
  return html`<p class="note class-note">
    ${meant.unknown.length > 0 && html`No class with images matches ${quoted(meant.unknown)}. `}
    ${meant.parts.length > 0 && html`No class has the word ${quoted(meant.parts)}; parts of names match. `}
    ${meant.labels.size > 0 && html`${meant.labels.size > 1 ? `${count(meant.labels.size)} classes` : "Class"}: <b>${inWords(site, meant.labels)}</b>${match && ` (${count(match.images)} ${match.images === 1 ? "image" : "images"})`}. `}
    ${(meant.unknown.length > 0 || meant.parts.length > 0) && hint}
    ${meant.labels.size > 0 && html` <${CopyButton} text=${python}>Copy Python<//>`}</p>`;
}

function Controls({ data, layer, sorts, site, units, counts, meant, match }) {
  const state = useAddress();
  const search = useRef(null);
  useKeys({ "/": () => search.current?.focus() });
  const shown = Object.entries(SHOWN).filter(([name]) => name === "all" || counts[name]);
  const usual = match ? "lift" : "unit";
  const orders = Object.entries(match ? { lift: "lift of the class", ...sorts } : sorts);
  const text = state.class ?? "";
  const find = (value) => setState({ class: value, ...(text ? {} : { sort: null }) }, { replace: true });
  return html`
    <label class="field">Sort by
      <select id="sort" value=${orderOf(state, match, data)}
        onChange=${(event) => setState({ sort: event.target.value === usual ? null : event.target.value })}>
        ${orders.map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}
      </select>
    </label>
    ${shown.length > 1 && html`<label class="field">Show
      <select id="show" value=${state.show ?? "all"}
        onChange=${(event) => setState({ show: event.target.value === "all" ? null : event.target.value })}>
        ${shown.map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${search} value=${text} list="class-names"
        placeholder=${counts.classes.length ? "classes or number" : "number"} onInput=${(event) => find(event.target.value)} />
    </label>
    <datalist id="class-names">
      ${completions(site, counts.classes, text).map((name) => html`<option key=${name} value=${name}></option>`)}
    </datalist>
    <span class="muted small" role="status">${units.length === data.count ? "" : `${units.length} of ${data.count} units`}</span>
    <${Meaning} ...${{ site, layer, meant, match }} />`;
}

/** Says what the number below each picture is. */
function describeNumbers(place, order, sorts, match, layer) {
  const words = order === "lift" ? "lift" : order === "unit" ? sorts.max ?? "maximum" : sorts[order] ?? "maximum";
  const name = match ? ", and the class with the highest lift" : "";
  const meaning = order === "lift" ? ` Lift: ${layer.meaning.split(";")[0]}.` : "";
  place.textContent = `Below: number of the unit, ${words}${name}.${meaning}`;
}

/** Lets the links to other layers keep what is chosen. */
function carryState(state) {
  const kept = CARRIED.filter((name) => state[name]).map((name) => [name, state[name]]);
  const hash = kept.length ? `#${new URLSearchParams(kept)}` : "";
  for (const link of document.querySelectorAll(".layers a")) link.href = link.getAttribute("href").split("#")[0] + hash;
}

export async function startLayer() {
  const host = document.getElementById("layer");
  const controls = document.getElementById("controls");
  const view = document.getElementById("unit");
  const { slug } = host.dataset;
  let site, data, layer;
  try {
    [site, data, layer] = await Promise.all([
      loadSite(), loadChunk(`layer/${slug}/units`), loadChunk(`layer/${slug}/layer`),
    ]);
  } catch (error) {
    render(html`<${Problem} error=${error} />`, controls);
    return markReady();
  }
  const sheet = new Sheet(document.getElementById("sheet"), data, site);
  const counts = {
    alive: data.dead.length ? data.count - data.dead.length : 0,
    dead: data.dead.length,
    silent: data.silent.length,
    twins: Object.keys(data.duplicates).length,
    classes: data.with_images,
  };
  const sorts = JSON.parse(controls.dataset.sorts);
  const numbers = document.getElementById("sheet-numbers");
  let lifts, problem;
  let awaited = null; // the unit that is being loaded
  /** Loads the lifts of all classes, once. */
  const loadLifts = () => loadChunk(`layer/${slug}/classes`).then(
    (chunk) => (lifts = new Lifts(chunk, data.count)),
    (error) => (problem = error),
  );
  const reveal = () => sheet.revealMarked();
  const update = () => {
    const state = readState();
    const unit = /^\d+$/.test(state.unit ?? "") && Number(state.unit) < data.count ? Number(state.unit) : null;
    // The sheet with its many tiles is laid out once, together with the unit, unless that takes long to load.
    if (unit !== null && unit !== awaited && !isLoaded(slug, unit)) {
      awaited = unit;
      const wait = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      return void Promise.race([preloadUnit(slug, unit, data), wait]).then(update);
    }
    awaited = null;
    const meant = meantClasses(site, counts.classes, state.class);
    if (meant.labels.size && !lifts && !problem) return void loadLifts().then(update);
    const match = meant.labels.size && lifts ? lifts.of(meant.labels) : null;
    const units = chosenUnits(data, state, match);
    sheet.show(units, orderOf(state, match, data), match, state.class);
    describeNumbers(numbers, orderOf(state, match, data), sorts, match, layer);
    carryState(state);
    host.classList.toggle("has-unit", unit !== null);
    view.hidden = unit === null;
    sheet.mark(unit);
    render(problem ? html`<${Problem} error=${problem} />`
      : html`<${Controls} ...${{ data, layer, sorts, site, units, counts, meant, match }} />`, controls);
    render(unit === null ? null : html`<${Unit} ...${{ unit, units, data, layer, site, slug, meant: meant.labels, onShown: reveal }} />`, view);
    if (unit === null) markReady();
  };
  // Links of tiles keep the rest of the state, such as the order.
  sheet.list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-unit]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    setState({ unit: link.dataset.unit });
    if (matchMedia("(max-width: 66rem)").matches) scrollTo(0, 0);
  });
  sheet.list.addEventListener("pointerover", (event) => {
    const link = event.target.closest("a[data-unit]");
    if (link) preloadUnit(slug, Number(link.dataset.unit), data);
  });
  subscribe(update);
  update();
  if (site.count <= site.block) loadItem(0).catch(() => {}); // all images are in one chunk
}
