// The layer page: sorting and filtering of the contact sheet, which is already in the page, and
// the view of the unit that the address names.
import {
  html, loadChunk, loadSite, markReady, number, Problem, readState, render, setState, subscribe,
  useAddress, useKeys, useRef,
} from "./core.js";
import { preloadUnit, Unit } from "./unit.js";

const SHOWN = {
  all: "all units",
  alive: "units that fire",
  dead: "dead units",
  silent: "silent units",
  twins: "near-duplicates",
};

/** Returns the units to show in order, for the columns of a layer and a state of the address. */
export function chosenUnits(data, site, state) {
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
  const text = (state.class ?? "").trim().toLowerCase();
  const meant = new Set();
  if (text) site.classes.forEach((name, i) => name.toLowerCase().includes(text) && meant.add(i));
  const fits = (unit) =>
    !text || String(unit) === text || (data.classes[unit] ?? []).some((label) => meant.has(label));
  const units = [...Array(data.count).keys()].filter((unit) => isShown(unit) && fits(unit));
  const column = data.columns[state.sort];
  if (!column) return units;
  return units.sort((a, b) => (column[b] ?? -Infinity) - (column[a] ?? -Infinity) || a - b);
}

/** Puts the tiles of the contact sheet into an order and labels them with the sorted column. */
class Sheet {
  constructor(list, data, dead) {
    this.list = list;
    this.data = data;
    this.dead = new Set(dead);
    this.tiles = new Map();
    for (const tile of list.children) this.tiles.set(Number(tile.firstElementChild.dataset.unit), tile);
    this.key = `undefined ${[...this.tiles.keys()].join()}`; // the order of the file
  }

  /** Shows units in this order; returns whether anything changed. */
  show(units, sort) {
    const key = `${sort} ${units.join()}`;
    if (key === this.key) return;
    this.key = key;
    const column = this.data.columns[sort] ?? this.data.columns.max;
    for (const unit of units) {
      const text = sort && sort !== "unit" ? number(column[unit]) : this.textOf(unit);
      this.tiles.get(unit).firstElementChild.lastElementChild.textContent = text;
    }
    this.list.replaceChildren(...units.map((unit) => this.tiles.get(unit)));
  }

  textOf(unit) {
    return this.dead.has(unit) ? "dead" : number(this.data.columns.max[unit]);
  }

  /** Marks a unit as the one in view and keeps its tile visible. */
  mark(unit) {
    this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const link = this.tiles.get(unit)?.firstElementChild;
    if (!link) return;
    link.setAttribute("aria-current", "true");
    // Only the sheet is scrolled: scrollIntoView would move the page as well.
    const [tile, list] = [link.getBoundingClientRect(), this.list.getBoundingClientRect()];
    const isHidden = tile.top < list.top || tile.bottom > list.bottom;
    if (isHidden) this.list.scrollTop += (tile.top + tile.bottom - list.top - list.bottom) / 2;
  }
}

function Controls({ data, sorts, site, units, counts }) {
  const state = useAddress();
  const search = useRef(null);
  useKeys({ "/": () => search.current?.focus() });
  const shown = Object.entries(SHOWN).filter(([name]) => name === "all" || counts[name]);
  return html`
    <label class="field">Sort by
      <select id="sort" value=${state.sort ?? "unit"}
        onChange=${(event) => setState({ sort: event.target.value === "unit" ? null : event.target.value })}>
        ${Object.entries(sorts).map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}
      </select>
    </label>
    ${shown.length > 1 && html`<label class="field">Show
      <select id="show" value=${state.show ?? "all"}
        onChange=${(event) => setState({ show: event.target.value === "all" ? null : event.target.value })}>
        ${shown.map(([name, words]) => html`<option key=${name} value=${name}>${words}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${search} value=${state.class ?? ""} list="class-names"
        placeholder=${site.classes.length ? "class or number" : "number"}
        onInput=${(event) => setState({ class: event.target.value }, { replace: true })} />
    </label>
    <datalist id="class-names">
      ${counts.classes.map((label) => html`<option key=${label} value=${site.classes[label]}></option>`)}
    </datalist>
    <span class="muted small" role="status">${units.length === data.count ? "" : `${units.length} of ${data.count} units`}</span>`;
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
  const sheet = new Sheet(document.getElementById("sheet"), data, data.dead);
  const counts = {
    alive: data.dead.length ? data.count - data.dead.length : 0,
    dead: data.dead.length,
    silent: data.silent.length,
    twins: Object.keys(data.duplicates).length,
    classes: [...new Set(data.classes.flat())].sort((a, b) => (site.classes[a] < site.classes[b] ? -1 : 1)),
  };
  const sorts = JSON.parse(controls.dataset.sorts);
  const update = () => {
    const state = readState();
    const units = chosenUnits(data, site, state);
    const unit = /^\d+$/.test(state.unit ?? "") && Number(state.unit) < data.count ? Number(state.unit) : null;
    sheet.show(units, state.sort);
    host.classList.toggle("split", unit !== null);
    view.hidden = unit === null;
    sheet.mark(unit);
    render(html`<${Controls} ...${{ data, sorts, site, units, counts }} />`, controls);
    render(unit === null ? null : html`<${Unit} ...${{ unit, units, data, layer, site, slug }} />`, view);
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
}
