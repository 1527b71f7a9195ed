// A map over a photo: colours, opacity, crosshair, and the number under the cursor.
import { html, number, useEffect, useRef, useState } from "../core.js";
import { loadValues } from "./api.js";

const NEUTRAL = 255;

/** Returns the colours "rrggbb…" of a scale as numbers, three for each step. */
export const coloursOf = (text) => text.match(/../g).map((pair) => parseInt(pair, 16));

/** Draws values into a canvas of their own size. */
function drawMap(canvas, map, values, range, isOverlay) {
  const { width, height } = map;
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const colours = coloursOf(map.colours);
  const steps = colours.length / 3 - 1;
  const [low, high] = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) continue;
    const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    const at = 3 * Math.round(share * steps);
    image.data.set(colours.slice(at, at + 3), 4 * i);
    const strength = map.signed ? Math.min(1, Math.abs(value) / high) : share;
    image.data[4 * i + 3] = isOverlay ? Math.round(NEUTRAL * strength) : NEUTRAL;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * The model's view of a photo with a map.
 *
 * view: {opacity, layer: "overlay" | "map" | "photo", smooth}; cursor: [x, y] as shares of the sides, or
 * null; onCursor is called with a new one. `range` replaces the scale of the map. `children` are drawn
 * over it, in a 0–100 coordinate system.
 */
export function MapView({ photo, map, mapFile, imageFile, view, range, cursor, onCursor, onPick, label, children }) {
  const canvas = useRef();
  const [values, setValues] = useState(null);
  useEffect(() => {
    let isCurrent = true;
    setValues(null);
    loadValues(mapFile).then((loaded) => isCurrent && setValues(loaded), () => {});
    return () => (isCurrent = false);
  }, [mapFile]);
  const limits = range ?? [map.low, map.high];
  useEffect(() => {
    if (!values || imageFile) return;
    drawMap(canvas.current, map, values, limits, view.layer === "overlay");
  }, [values, view.layer, limits[0], limits[1]]);
  const place = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const clamp = (share) => Math.min(0.9999, Math.max(0, share));
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };
  const value = values && cursor ? values[cell(map, cursor).index] : null;
  const shown = {
    opacity: view.layer === "photo" ? 0 : view.layer === "map" ? 1 : view.opacity,
    imageRendering: view.smooth ? "auto" : "pixelated",
  };
  const layer = imageFile
    ? html`<img class="over" src=${imageFile} alt="" style=${shown} />`
    : html`<canvas class="over" ref=${canvas} style=${shown}></canvas>`;
  return html`<div class="map-view">
    <div
      class="map-stage ${onPick ? "pickable" : ""}"
      onPointerMove=${(event) => onCursor(place(event))}
      onPointerLeave=${() => onCursor(null)}
      onClick=${onPick && ((event) => onPick(cell(map, place(event))))}
    >
      <img src=${photo} alt=${label} />
      ${layer}
      ${cursor && html`<span class="cross-x" style=${{ left: `${cursor[0] * 100}%` }}></span>
        <span class="cross-y" style=${{ top: `${cursor[1] * 100}%` }}></span>`}
      ${children}
    </div>
    <${Legend} map=${map} range=${limits} hidden=${!!imageFile} />
    <p class="readout" aria-live="off">
      ${cursor && values ? html`<b>${number(value, 4)}</b> ${map.unit} at ${place2(map, cursor)}` : html`<span class="muted">${map.unit}</span>`}
    </p>
  </div>`;
}

/** Returns row, column and index of the cell of a map below a cursor. */
export function cell(map, [x, y]) {
  const column = Math.floor(x * map.width);
  const row = Math.floor(y * map.height);
  return { row, column, index: row * map.width + column };
}

function place2(map, cursor) {
  const { row, column } = cell(map, cursor);
  return `row ${row}, column ${column}`;
}

function Legend({ map, range, hidden }) {
  const canvas = useRef();
  useEffect(() => {
    if (hidden) return;
    const colours = coloursOf(map.colours);
    const steps = colours.length / 3;
    const image = new ImageData(steps, 1);
    for (let i = 0; i < steps; i++) image.data.set([...colours.slice(3 * i, 3 * i + 3), 255], 4 * i);
    canvas.current.width = steps;
    canvas.current.height = 1;
    canvas.current.getContext("2d").putImageData(image, 0, 0);
  }, [map.colours, hidden]);
  if (hidden) return html`<p class="legend-words">Mid-grey is zero; a tint shows which channels are above or below zero.</p>`;
  const words = map.signed
    ? `${number(range[0])} blue, 0 white, ${number(range[1])} red`
    : `${number(range[0])} dark, ${number(range[1])} bright`;
  return html`<div class="legend" role="img" aria-label=${`Colours: ${words}`}>
    <span>${number(range[0])}</span><canvas ref=${canvas}></canvas><span>${number(range[1])}</span>
  </div>`;
}
