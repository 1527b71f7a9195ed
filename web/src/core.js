// What all pages share: chunks of data, state in the address, keys, thumbnails and formats.
import { h, render } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);
export { render };
export * from "preact/hooks";

// Several bundles may run in one page (app.js and live.js); they share this state.
const shared = (window.convvizShared ??= { chunks: new Map(), received: new Map() });
window.convvizChunk = (name, value) => shared.received.set(name, value);

/** Path from this page to the folder of the report: "" or "../". */
export const root = document.documentElement.dataset.root ?? "";

/** Returns the address of a file of the report, relative to this page. Embedded pictures (`data:`) stay as they are. */
export const address = (path) =>
  path.startsWith("data:image/") ? path : root + path.split("/").map(encodeURIComponent).join("/");

/** Returns a promise of a chunk's value. A chunk is a script, since pages on disk cannot fetch. */
export function loadChunk(name) {
  if (!shared.chunks.has(name)) {
    const loading = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address(`data/${name}.js`);
      const failed = () => {
        shared.chunks.delete(name); // it can be tried again
        reject(new Error(`data/${name}.js cannot be read`));
      };
      script.onerror = failed;
      script.onload = () => {
        script.remove();
        if (!shared.received.has(name)) return failed();
        resolve(shared.received.get(name));
        shared.received.delete(name);
      };
      document.head.append(script);
    });
    shared.chunks.set(name, loading);
  }
  return shared.chunks.get(name);
}

export const loadSite = () => loadChunk("site");

/** Returns [value, error] of a promise-returning function, undefined until it is settled. */
export function useLoaded(load, inputs) {
  const [state, setValue] = useState({});
  // Loading begins before the next frame is laid out and painted, which takes long in pages with many tiles.
  useLayoutEffect(() => {
    let isCurrent = true;
    load().then(
      (value) => isCurrent && setValue({ value }),
      (error) => isCurrent && setValue({ error }),
    );
    return () => (isCurrent = false);
  }, inputs);
  return [state.value, state.error];
}

// State in the address -----------------------------------------------------------------------

/** Returns the parameters after "#" as an object of strings. */
export const readState = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** Returns "#…" for the current state with changes; null, undefined and "" remove a parameter. */
export function hashWith(changes) {
  const parameters = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  return `#${parameters}`;
}

/** Changes the state. A new history entry is made unless `replace` is set. */
export function setState(changes, { replace = false } = {}) {
  const hash = hashWith(changes);
  if (hash === location.hash || (hash === "#" && !location.hash)) return;
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  window.dispatchEvent(new Event("convviz:state"));
}

/** Calls a function after each change of the state; returns a function that stops this. */
export function subscribe(listener) {
  const events = ["convviz:state", "hashchange", "popstate"];
  for (const name of events) window.addEventListener(name, listener);
  return () => events.forEach((name) => window.removeEventListener(name, listener));
}

/** Hook: the state of the address. */
export function useAddress() {
  const [state, setValue] = useState(readState);
  useEffect(() => subscribe(() => setValue(readState())), []);
  return state;
}

// Keys ---------------------------------------------------------------------------------------

const TEXT_FIELDS = "input:not([type=checkbox]):not([type=radio]), textarea, select";

/** Hook: calls `keys[event.key]` unless a text field has the focus or a modifier is held. */
export function useKeys(keys) {
  useEffect(() => {
    const listener = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.(TEXT_FIELDS)) return;
      const action = keys[event.key];
      if (!action) return;
      event.preventDefault();
      action(event);
    };
    document.addEventListener("keydown", listener);
    return () => document.removeEventListener("keydown", listener);
  });
}

// Pictures of images -------------------------------------------------------------------------

/** Returns a promise of what is known of an image: {name, label, thumb, …}; row counts from 0. */
export async function loadItem(row) {
  const { block } = await loadSite();
  const index = Math.floor(row / block);
  const items = await loadChunk(`items-${String(index).padStart(3, "0")}`);
  return itemOf(items, row);
}

/** Returns one image of a block of images. */
export function itemOf(items, row) {
  const i = row - items.start;
  const pick = (values) => values?.[i] ?? null;
  return {
    row,
    name: items.names[i],
    label: pick(items.labels),
    predicted: pick(items.predicted),
    probability: pick(items.probability),
    correct: pick(items.correct),
    second: { predicted: pick(items.second_predicted), probability: pick(items.second_probability), correct: pick(items.second_correct) },
    size: pick(items.sizes),
    preview: pick(items.previews),
    thumb: items.thumbs && { ...items.thumbs, index: i },
  };
}

/** One tile of an atlas: {atlas, tile, columns, index}. `size` is in CSS pixels. */
export function Tile({ tile, size, label = "", className = "" }) {
  if (!tile) return html`<span class="tile missing ${className}" style=${{ width: px(size), height: px(size) }}></span>`;
  const scale = size / tile.tile;
  const x = (tile.index % tile.columns) * size;
  const y = Math.floor(tile.index / tile.columns) * size;
  const style = {
    width: px(size),
    height: px(size),
    backgroundImage: `url("${address(tile.atlas)}")`,
    backgroundPosition: `-${px(x)} -${px(y)}`,
    backgroundSize: `${px(tile.columns * tile.tile * scale)} auto`,
  };
  const role = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<span class="tile ${className}" style=${style} ...${role}></span>`;
}

/** Thumbnail of an image by its row. */
export function Thumb({ row, size = 64 }) {
  const [item] = useLoaded(() => loadItem(row), [row]);
  return html`<${Tile} tile=${item?.thumb} size=${size} label=${item?.name ?? ""} />`;
}

/** Address of the page of an image. */
export const imageAddress = (row) => `${address("image.html")}#id=${row}`;

// Formats ------------------------------------------------------------------------------------

const px = (value) => `${Math.round(value * 1000) / 1000}px`;

/** Returns a number with a few significant digits; "–" if there is none. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(digits - 1);
  return String(Number(value.toPrecision(digits)));
}

/** Returns a share as a percentage; small shares keep one digit that is not 0. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  return `${value < 10 ? Number(value.toPrecision(value < 1 ? 1 : 2)) : Math.min(99.9, Number(value.toFixed(1)))} %`;
}

/** Returns a count with thin spaces between thousands. */
export const count = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");

/** Copies a text; pages on disk may lack the clipboard, so there is a second way. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "offscreen";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

/** Button that copies a text and confirms it. */
export function CopyButton({ text, children }) {
  const [isDone, setDone] = useState(false);
  const click = async () => {
    await copy(typeof text === "function" ? text() : text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="quiet" onClick=${click}>
    ${isDone ? "Copied" : children}<span class="offscreen" aria-live="polite">${isDone ? "copied" : ""}</span>
  </button>`;
}

/** Offers a text as a file to save. */
export function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Returns rows of cells as CSV; texts that a spreadsheet might run as a formula get an apostrophe. */
export function csv(header, rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Sentence that is shown instead of content that cannot be loaded. */
export const Problem = ({ error }) => html`<p class="problem" role="alert">${error.message}.</p>`;

/** Scrolls the bars of links, which may be wider than a small screen, to the current page. */
function showCurrentLinks() {
  for (const link of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")) {
    const [bar, box] = [link.parentElement, link.getBoundingClientRect()];
    const { left, right } = bar.getBoundingClientRect();
    // Not scrollIntoView, which would move the page as well.
    if (box.left < left || box.right > right) bar.scrollLeft += (box.left + box.right - left - right) / 2;
  }
}

/** Marks the page as rendered, for tests and for printing. */
export const markReady = () => {
  if (document.body.dataset.ready !== "true") showCurrentLinks();
  document.body.dataset.ready = "true";
};
