// Maps of an image side by side: explainers in columns, targets in rows.
import { address, html, loadChunk, number, percent, Problem, setState, useAddress, useEffect, useKeys, useLoaded, useMemo, useRef, useState } from "./core.js";

const LEVELS = 254;
const NONE = 255;
const SCORE = / \([\w ]+ -?[\d.]+\)/; // in the name of a row
const STATE = "convviz-maps"; // choices are kept for the next image
export const DEFAULT_CHOICES = { opacity: 0.65, smooth: true, shared: false };

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Reads the choices of the last visit. */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STATE)) ?? {};
  } catch {
    return {};
  }
}

function remember(choices) {
  try {
    localStorage.setItem(STATE, JSON.stringify(choices));
  } catch {
    // Pages on disk may have no storage.
  }
}

/** Returns the value of a level of a panel, or null. */
const valueOf = (panel, level) => (level === NONE ? null : panel.low + (level / LEVELS) * (panel.high - panel.low));

/** Returns the pixels of a map in the colours of a range. */
function coloured(panel, levels, palette, [low, high]) {
  const image = new ImageData(panel.width, panel.height);
  for (let i = 0; i < levels.length; i++) {
    const value = valueOf(panel, levels[i]);
    if (value === null) continue;
    const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    const place = 3 * Math.round(share * LEVELS);
    image.data.set([palette[place], palette[place + 1], palette[place + 2], 255], 4 * i);
  }
  return image;
}

/** Gradient of the colours, with the numbers at its ends. */
function ColourBar({ palette, range, unit, isSigned }) {
  const canvas = useRef();
  useEffect(() => {
    const context = canvas.current.getContext("2d");
    const image = new ImageData(LEVELS + 1, 1);
    for (let i = 0; i <= LEVELS; i++) image.data.set([...palette.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    context.putImageData(image, 0, 0);
  }, [palette]);
  const [low, high] = range;
  const words = isSigned
    ? `red: ${unit || "value"} above zero, blue: below zero`
    : `${unit || "value"}; bright is high`;
  return html`<div class="colour-bar">
    <canvas ref=${canvas} width=${LEVELS + 1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${number(low)}</span>${isSigned && html`<span>0</span>`}<span>${number(high)}</span></span>
    <span class="muted small">${words}</span>
  </div>`;
}

const MAX_ZOOM = 16;
const WHOLE = { factor: 1, x: 0.5, y: 0.5 };

/** Returns a zoom around a point of the image, which is moved so that no border is empty. */
function zoomTo(factor, x, y) {
  const clipped = Math.min(MAX_ZOOM, Math.max(1, factor));
  const half = 0.5 / clipped;
  const clip = (value) => Math.min(1 - half, Math.max(half, value));
  return { factor: clipped, x: clip(x), y: clip(y) };
}

/** Returns the point of the image below a pointer, as fractions of width and height. */
function pointBelow(event, { factor, x, y }) {
  const box = event.currentTarget.getBoundingClientRect();
  return [
    x + ((event.clientX - box.left) / box.width - 0.5) / factor,
    y + ((event.clientY - box.top) / box.height - 0.5) / factor,
  ];
}

/** One map over the image; crosshair and zoom are shared by all panels. */
function Panel({ panel, title, palette, range, choices, cross, setCross, zoom, setZoom, isBare }) {
  const canvas = useRef();
  const drag = useRef(null);
  const levels = useMemo(() => panel.values && bytesOf(panel.values), [panel]);
  useEffect(() => {
    if (!levels) return;
    canvas.current.getContext("2d").putImageData(coloured(panel, levels, palette, range), 0, 0);
  }, [levels, palette, range[0], range[1]]);
  const opacity = isBare ? 0 : panel.view && !panel.picture ? choices.opacity : 1;
  const down = (event) => {
    drag.current = { x: event.clientX, y: event.clientY, zoom, isMoved: false };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    setCross(pointBelow(event, zoom));
    const start = drag.current;
    if (!start) return;
    const box = event.currentTarget.getBoundingClientRect();
    const [dx, dy] = [(event.clientX - start.x) / box.width, (event.clientY - start.y) / box.height];
    start.isMoved ||= Math.hypot(event.clientX - start.x, event.clientY - start.y) > 4;
    if (start.isMoved) setZoom(zoomTo(zoom.factor, start.zoom.x - dx / zoom.factor, start.zoom.y - dy / zoom.factor));
  };
  const up = (event) => {
    const isClick = drag.current && !drag.current.isMoved;
    drag.current = null;
    if (!isClick || event.button !== 0) return;
    const [x, y] = pointBelow(event, zoom);
    setZoom(event.shiftKey ? zoomTo(zoom.factor / 2, zoom.x, zoom.y) : zoomTo(zoom.factor * 2, x, y));
  };
  let reading = "";
  if (cross && levels) {
    const column = Math.min(panel.width - 1, Math.max(0, Math.floor(cross[0] * panel.width)));
    const row = Math.min(panel.height - 1, Math.max(0, Math.floor(cross[1] * panel.height)));
    const value = valueOf(panel, levels[row * panel.width + column]);
    reading = value === null ? "no value" : number(value);
  }
  const smooth = choices.smooth ? "" : "crisp";
  const place = (value, center) => `${100 * (0.5 + (value - center) * zoom.factor)}%`;
  const layer = {
    transform: `translate(${100 * (0.5 - zoom.x * zoom.factor)}%, ${100 * (0.5 - zoom.y * zoom.factor)}%) scale(${zoom.factor})`,
  };
  return html`<div class="map-panel ${zoom.factor > 1 ? "is-zoomed" : ""}" onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}
      onPointerCancel=${() => (drag.current = null)} onPointerLeave=${() => setCross(null)}>
    <div class="map-layers" style=${layer}>
      ${panel.view && html`<img class=${zoom.factor > 2 ? "crisp" : ""} src=${address(panel.view)} alt="" draggable=${false} />`}
      ${panel.picture
        ? html`<img class=${`over ${smooth}`} src=${address(panel.picture)} style=${{ opacity }} alt=${title} />`
        : html`<canvas ref=${canvas} class=${`over ${smooth}`} width=${panel.width} height=${panel.height} style=${{ opacity }}
            role="img" aria-label=${title}></canvas>`}
    </div>
    ${cross && html`<span class="cross" style=${{ left: place(cross[0], zoom.x), top: place(cross[1], zoom.y) }}></span>`}
    <output class="reading">${reading}</output>
  </div>`;
}

/** How far the maps agree: explainers of a row, and targets or models of an explainer. */
function Agreements({ chunk, nameOf }) {
  if (!chunk.agreements.length) return null;
  const rows = chunk.agreements.map(({ panels, correlation, overlap }) => {
    const [a, b] = panels.map((place) => chunk.panels[place]);
    const isSameRow = a.row === b.row;
    const names = [a, b].map((panel) => (isSameRow ? nameOf.column(panel.column) : nameOf.row(panel.row)).replace(SCORE, ""));
    const of = (isSameRow ? nameOf.row(a.row) : nameOf.column(a.column)).replace(SCORE, "");
    return { names, of, correlation, overlap };
  });
  return html`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${rows.map(({ names, of, correlation, overlap }, i) => html`<tr key=${i}>
          <th scope="row">${names[0]} – ${names[1]}</th><td>${of}</td>
          <td class="number">${correlation === null ? "flat map" : correlation.toFixed(2)}</td>
          <td class="number">${percent(overlap)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`;
}

/** Range of a panel: its own, or that of all panels of its column. */
function rangeOf(panels, panel, isShared) {
  if (!isShared) return [panel.low, panel.high];
  const same = panels.filter((other) => other.column === panel.column && other.values);
  return [Math.min(...same.map((other) => other.low)), Math.max(...same.map((other) => other.high))];
}

/** Returns names of the columns, with the parameters in which explainers of one name differ. */
function namesOfColumns(columns) {
  return columns.map((column) => {
    const same = columns.filter(({ name }) => name === column.name);
    const differing = Object.entries(column.parameters)
      .filter(([name, text]) => same.some((other) => other.parameters[name] !== text))
      .map(([name, text]) => `${name}=${text}`);
    return [column.name, column.layer, ...differing].filter(Boolean).join(" ");
  });
}

/**
 * Maps in a table, explainers in columns, targets and models in rows.
 *
 * choices: {opacity, smooth, shared}; onChoices is called with changed ones. `only` is the name of the only
 * explainer that is shown, if any. The space bar is a key of `keyTarget`.
 */
export function Grid({ chunk, choices, onChoices, only, onOnly, keyTarget = document }) {
  const [cross, setCross] = useState(null);
  const [zoom, setZoom] = useState(WHOLE);
  const [isBare, setBare] = useState(false);
  const palettes = useMemo(() => ({ signed: bytesOf(chunk.palettes.signed), plain: bytesOf(chunk.palettes.plain) }), [chunk]);
  const choose = (changes) => onChoices({ ...choices, ...changes });
  useEffect(() => {
    const listener = (event) => {
      if (event.key !== " " || event.target.closest?.("input, button, select, a, textarea")) return;
      event.preventDefault();
      setBare(event.type === "keydown");
    };
    keyTarget.addEventListener("keydown", listener);
    keyTarget.addEventListener("keyup", listener);
    return () => {
      keyTarget.removeEventListener("keydown", listener);
      keyTarget.removeEventListener("keyup", listener);
    };
  }, [keyTarget]);
  const zoomBy = (factor) => setZoom(zoomTo(zoom.factor * factor, ...(cross ?? [zoom.x, zoom.y])));
  // Keys of the document belong to the notebook where the maps are a part of one.
  const keys = { "+": () => zoomBy(2), "=": () => zoomBy(2), "-": () => zoomBy(0.5), 0: () => setZoom(WHOLE) };
  useKeys(keyTarget === document ? keys : {});
  const models = new Set(chunk.rows.map((row) => row.model));
  const nameOf = {
    row: (place) => [chunk.rows[place].target, models.size > 1 && chunk.rows[place].model].filter(Boolean).join(" · "),
    column: (place) => columnNames[place],
  };
  const columns = chunk.columns.map((column, place) => ({ ...column, place }))
    .filter((column) => only === undefined || column.name === only);
  const columnNames = namesOfColumns(chunk.columns);
  const shownColumns = columns.length ? columns : chunk.columns.map((column, place) => ({ ...column, place }));
  return html`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${choices.opacity}
          onInput=${(event) => choose({ opacity: Number(event.target.value) })} /></label>
      <label class="field"><input type="checkbox" checked=${choices.smooth}
        onChange=${(event) => choose({ smooth: event.target.checked })} /> smooth</label>
      ${chunk.rows.length > 1 && html`<label class="field">Scale
        <select value=${choices.shared ? "shared" : "own"} onChange=${(event) => choose({ shared: event.target.value === "shared" })}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${zoom.factor === 1} onClick=${() => zoomBy(0.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${zoom.factor === MAX_ZOOM} onClick=${() => zoomBy(2)}>+</button>
        <button type="button" disabled=${zoom.factor === 1} onClick=${() => setZoom(WHOLE)}>Whole image</button>
      </span>
      ${chunk.columns.length > 1 && html`<label class="field">Explainer
        <select value=${only ?? ""} onChange=${(event) => onOnly(event.target.value || undefined)}>
          <option value="">all</option>
          ${[...new Set(chunk.columns.map(({ name }) => name))].map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${shownColumns.map((column) => html`<th scope="col" key=${column.place}>
          ${columnNames[column.place]}</th>`)}</tr></thead>
        <tbody>${chunk.rows.map(({ target, model }, row) => html`<tr key=${row}>
          <th scope="row">${target}${models.size > 1 && html` <span class="muted">${model}</span>`}</th>
          ${shownColumns.map((column) => html`<td key=${column.place}>
            ${chunk.panels.filter((panel) => panel.row === row && panel.column === column.place).map((panel) => {
              const palette = panel.signed ? palettes.signed : palettes.plain;
              const range = rangeOf(chunk.panels, panel, choices.shared);
              return html`<div class="map-cell">
                <${Panel} panel=${panel} palette=${palette} range=${range} choices=${choices} ...${{ cross, setCross, zoom, setZoom, isBare }}
                  title=${`${column.name} for ${nameOf.row(row)}`} />
                ${panel.values
                  ? html`<${ColourBar} palette=${palette} range=${range} unit=${column.unit} isSigned=${panel.signed} />`
                  : html`<span class="muted small">Mid-grey is zero; colours are the channels of ${column.unit || "the map"}.</span>`}
                ${panel.note && html`<span class="muted small">${panel.note}</span>`}
                ${column.notes.length > 0 && html`<p class="map-note" title=${column.notes.join(" ")}>${column.notes[0]}</p>`}
              </div>`;
            })}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${Agreements} chunk=${chunk} nameOf=${nameOf} />
    ${shownColumns.map((column) => html`<details key=${column.place} class="small">
      <summary>${columnNames[column.place]}: parameters and notes</summary>
      ${column.notes.map((note) => html`<p class="note">${note}</p>`)}
      <dl class="facts">${Object.entries(column.parameters).map(([name, text]) => html`<div key=${name}>
        <dt>${name}</dt><dd class="plain">${text}</dd></div>`)}</dl>
    </details>`)}`;
}

/** The maps of an image; nothing if none were saved. */
export function Maps({ name }) {
  const [chunk, error] = useLoaded(async () => (name ? loadChunk(name) : null), [name]);
  const [choices, setChoices] = useState({ ...DEFAULT_CHOICES, ...remembered() });
  const { only } = useAddress();
  if (!name) return null;
  const choose = (next) => {
    setChoices(next);
    remember(next);
  };
  return html`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${error && html`<${Problem} error=${error} />`}
    ${chunk && html`<${Grid} key=${name} chunk=${chunk} choices=${choices} onChoices=${choose}
      only=${only} onOnly=${(column) => setState({ only: column }, { replace: true })} />`}
  </section>`;
}
