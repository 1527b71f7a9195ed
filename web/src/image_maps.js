// Maps of an image side by side: explainers in columns, targets in rows.
import { address, html, loadChunk, number, Problem, setState, useAddress, useEffect, useLoaded, useMemo, useRef, useState } from "./core.js";

const LEVELS = 254;
const NONE = 255;
const STATE = "convviz-maps"; // choices are kept for the next image

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
    : `bright: high ${unit || "value"}`;
  return html`<div class="colour-bar">
    <canvas ref=${canvas} width=${LEVELS + 1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${number(low)}</span>${isSigned && html`<span>0</span>`}<span>${number(high)}</span></span>
    <span class="muted small">${words}</span>
  </div>`;
}

/** One map over the image, with a crosshair that all panels share. */
function Panel({ panel, title, palette, range, choices, cross, setCross, isBare }) {
  const canvas = useRef();
  const levels = useMemo(() => panel.values && bytesOf(panel.values), [panel]);
  useEffect(() => {
    if (!levels) return;
    canvas.current.getContext("2d").putImageData(coloured(panel, levels, palette, range), 0, 0);
  }, [levels, palette, range[0], range[1]]);
  const opacity = isBare ? 0 : panel.view && !panel.picture ? choices.opacity : 1;
  const move = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    setCross([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };
  let reading = "";
  if (cross && levels) {
    const column = Math.min(panel.width - 1, Math.max(0, Math.floor(cross[0] * panel.width)));
    const row = Math.min(panel.height - 1, Math.max(0, Math.floor(cross[1] * panel.height)));
    const value = valueOf(panel, levels[row * panel.width + column]);
    reading = value === null ? "no value" : number(value);
  }
  const smooth = choices.smooth ? "" : "crisp";
  return html`<div class="map-panel" onPointerMove=${move} onPointerLeave=${() => setCross(null)}>
    ${panel.view && html`<img src=${address(panel.view)} alt="" draggable=${false} />`}
    ${panel.picture
      ? html`<img class=${`over ${smooth}`} src=${address(panel.picture)} style=${{ opacity }} alt=${title} />`
      : html`<canvas ref=${canvas} class=${`over ${smooth}`} width=${panel.width} height=${panel.height} style=${{ opacity }}
          role="img" aria-label=${title}></canvas>`}
    ${cross && html`<span class="cross" style=${{ left: `${100 * cross[0]}%`, top: `${100 * cross[1]}%` }}></span>`}
    <output class="reading">${reading}</output>
  </div>`;
}

/** Range of a panel: its own, or that of all panels of its column. */
function rangeOf(panels, panel, isShared) {
  if (!isShared) return [panel.low, panel.high];
  const same = panels.filter((other) => other.column === panel.column && other.values);
  return [Math.min(...same.map((other) => other.low)), Math.max(...same.map((other) => other.high))];
}

function Grid({ chunk }) {
  const [choices, setChoices] = useState({ opacity: 0.65, smooth: true, shared: false, ...remembered() });
  const [cross, setCross] = useState(null);
  const [isBare, setBare] = useState(false);
  const palettes = useMemo(() => ({ signed: bytesOf(chunk.palettes.signed), plain: bytesOf(chunk.palettes.plain) }), [chunk]);
  const choose = (changes) => {
    const next = { ...choices, ...changes };
    setChoices(next);
    remember(next);
  };
  useEffect(() => {
    const listener = (event) => {
      if (event.key !== " " || event.target.closest?.("input, button, select, a, textarea")) return;
      event.preventDefault();
      setBare(event.type === "keydown");
    };
    document.addEventListener("keydown", listener);
    document.addEventListener("keyup", listener);
    return () => {
      document.removeEventListener("keydown", listener);
      document.removeEventListener("keyup", listener);
    };
  }, []);
  const targets = [...new Set(chunk.panels.map((panel) => panel.target))];
  const { only } = useAddress();
  const columns = chunk.columns.map((column, place) => ({ ...column, place }))
    .filter((column) => only === undefined || column.name === only);
  const shownColumns = columns.length ? columns : chunk.columns.map((column, place) => ({ ...column, place }));
  return html`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${choices.opacity}
          onInput=${(event) => choose({ opacity: Number(event.target.value) })} /></label>
      <label class="field"><input type="checkbox" checked=${choices.smooth}
        onChange=${(event) => choose({ smooth: event.target.checked })} /> smooth</label>
      ${targets.length > 1 && html`<label class="field"><input type="checkbox" checked=${choices.shared}
        onChange=${(event) => choose({ shared: event.target.checked })} /> one scale for all targets</label>`}
      ${chunk.columns.length > 1 && html`<label class="field">Explainer
        <select value=${only ?? ""} onChange=${(event) => setState({ only: event.target.value }, { replace: true })}>
          <option value="">all</option>
          ${[...new Set(chunk.columns.map(({ name }) => name))].map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${shownColumns.map((column) => html`<th scope="col" key=${column.place}>
          ${column.name}${column.layer && html` <span class="muted">${column.layer}</span>`}</th>`)}</tr></thead>
        <tbody>${targets.map((target) => html`<tr key=${target}>
          <th scope="row">${target}</th>
          ${shownColumns.map((column) => html`<td key=${column.place}>
            ${chunk.panels.filter((panel) => panel.target === target && panel.column === column.place).map((panel) => {
              const palette = panel.signed ? palettes.signed : palettes.plain;
              const range = rangeOf(chunk.panels, panel, choices.shared);
              return html`<div class="map-cell">
                <${Panel} panel=${panel} palette=${palette} range=${range} choices=${choices} cross=${cross} setCross=${setCross}
                  isBare=${isBare} title=${`${column.name} for ${target}`} />
                ${panel.values
                  ? html`<${ColourBar} palette=${palette} range=${range} unit=${column.unit} isSigned=${panel.signed} />`
                  : html`<span class="muted small">Mid-grey is zero; colours are the channels of ${column.unit || "the map"}.</span>`}
                ${panel.note && html`<span class="muted small">${panel.note}</span>`}
              </div>`;
            })}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    ${shownColumns.map((column) => html`<details key=${column.place} class="small">
      <summary>${column.name}${column.layer && ` ${column.layer}`}: parameters and notes</summary>
      ${column.notes.map((note) => html`<p class="note">${note}</p>`)}
      <dl class="facts">${Object.entries(column.parameters).map(([name, text]) => html`<div key=${name}>
        <dt>${name}</dt><dd class="plain">${text}</dd></div>`)}</dl>
    </details>`)}`;
}

/** The maps of an image; nothing if none were saved. */
export function Maps({ name }) {
  const [chunk, error] = useLoaded(async () => (name ? loadChunk(name) : null), [name]);
  if (!name) return null;
  return html`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${error && html`<${Problem} error=${error} />`}
    ${chunk && html`<${Grid} key=${name} chunk=${chunk} />`}
  </section>`;
}
