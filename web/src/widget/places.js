// The map of a notebook: drag a rectangle to select images, which Python sees as `widget.selection`.
import { address, html, number, percent, Problem, useEffect, useLayoutEffect, useLoaded, useMemo, useRef, useState } from "../core.js";
import { classesOf, colouring, Legend, useDark } from "../map_colours.js";
import { decodePoints, inside, nearest } from "../map_points.js";
import { MapView } from "../map_view.js";
import { labelNames, outputName } from "../names.js";
import { useTrait } from "./asker.js";

const HOVER_MS = 250;
const REACH = 12; // pixels between the pointer and the point that it means
const WHEEL_STEP = 0.0025;
const SHOWN = 24; // selected images that are shown
const CLICK = 4; // pixels that the pointer moves at most in a click
const NO_THUMBS = { path: "", tile: 1, columns: 1, size: 1 };

export function Places({ model, ask, site }) {
  const layers = site.layers.filter((layer) => layer.pages.map);
  const [name, setName] = useState(layers.at(-1).name);
  const [chunk, error] = useLoaded(() => ask("points", { layer: name }), [name]);
  return html`<div class="stack">
    ${layers.length > 1 && html`<label class="field">Layer <select name="map-layer" value=${name} onChange=${(event) => setName(event.target.value)}>
      ${layers.map((l) => html`<option key=${l.name} value=${l.name}>${l.name}</option>`)}</select></label>`}
    ${error && html`<${Problem} error=${error} />`}
    ${chunk?.name === name && html`<${PointMap} key=${name} ...${{ model, ask, site, chunk }} />`}
  </div>`;
}

function PointMap({ model, ask, site, chunk }) {
  const [selection, setSelection] = useTrait(model, "selection");
  const [moves, setMoves] = useState(false);
  const [highlighted, setHighlighted] = useState(null);
  const [hovered, setHovered] = useState(-1);
  const [box, setBox] = useState(null);
  const [view, setView] = useState(null);
  const place = useRef();
  const isDark = useDark();
  const points = useMemo(() => decodePoints(chunk), [chunk]);
  const classes = useMemo(() => classesOf(site, points), [points]);
  const selected = useMemo(() => new Set(selection), [selection]);
  const all = useMemo(() => new Uint8Array(points.count).fill(1), [points]);
  const passes = useMemo(
    () => (selected.size ? Uint8Array.from(points.rows, (row) => (selected.has(row) ? 1 : 0)) : all),
    [points, selected],
  );
  const colours = useMemo(
    () => colouring(points, classes, chunk.palette, highlighted, passes, isDark),
    [points, classes, highlighted, passes, isDark],
  );
  useEffect(() => {
    const map = new MapView(place.current, points, NO_THUMBS, () => {}, "canvas");
    map.showThumbs = false;
    map.reset();
    setView(map);
    return () => map.observer.disconnect();
  }, [points]);
  useEffect(() => view?.setPoints(passes, colours.of), [view, passes, colours]);
  useEffect(() => view?.setCurrent(hovered), [view, hovered]);

  const select = (rows, event) => {
    const keeps = event.ctrlKey || event.metaKey ? selection : [];
    setSelection([...new Set([...keeps, ...rows])].sort((a, b) => a - b));
  };
  usePointer(place, view, moves, {
    hover: (left, top) => setHovered(pointAt(view, points, all, left, top)),
    box: setBox,
    select: ([x0, y0, x1, y1], event) => {
      const [left, top] = view.toMap(x0, y0);
      const [right, bottom] = view.toMap(x1, y1);
      select([...inside(points, all, [left, bottom, right, top])].map((i) => points.rows[i]), event);
    },
    click: (left, top, event) => {
      const point = pointAt(view, points, all, left, top);
      select(point < 0 ? [] : [points.rows[point]], event);
    },
  });
  const onKeyDown = (event) => {
    if (!view) return; // the map is not drawn yet
    const step = view.width / 6;
    const act = {
      ArrowLeft: () => view.pan(step, 0), ArrowRight: () => view.pan(-step, 0),
      ArrowUp: () => view.pan(0, step), ArrowDown: () => view.pan(0, -step),
      "+": () => view.zoomAt(view.width / 2, view.height / 2, 0.5), "-": () => view.zoomAt(view.width / 2, view.height / 2, -0.5),
      0: () => view.reset(),
      Enter: () => select([...inside(points, all, view.box)].map((i) => points.rows[i]), event),
      Escape: () => setSelection([]),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // keys of the notebook
    act();
  };
  const centre = hovered >= 0 && view ? view.toScreen(points.positions[2 * hovered], points.positions[2 * hovered + 1]) : null;
  return html`<div class="stack">
    <div class="bar-of-controls">
      <span class="segments" role="group" aria-label="Dragging">
        <button type="button" aria-pressed=${String(!moves)} onClick=${() => setMoves(false)}>Select</button>
        <button type="button" aria-pressed=${String(moves)} onClick=${() => setMoves(true)}>Move</button></span>
      <span class="zooms">
        <button type="button" aria-label="Zoom in" onClick=${() => view.zoomAt(view.width / 2, view.height / 2, 0.5)}>+</button>
        <button type="button" aria-label="Zoom out" onClick=${() => view.zoomAt(view.width / 2, view.height / 2, -0.5)}>−</button>
        <button type="button" onClick=${() => view.reset()}>Whole map</button></span>
      <span role="status">${selection.length} selected</span>
      ${selection.length > 0 && html`<button type="button" class="quiet" onClick=${() => setSelection([])}>Clear</button>`}
    </div>
    <${Legend} classes=${classes} colours=${colours} highlighted=${highlighted}
      choose=${(text, isChosen) => setHighlighted(isChosen ? null : classes.find(([, known]) => known === text)[0])} />
    <div class="map-frame">
      <div ref=${place} class="map-place ${moves ? "" : "selecting"}" tabindex="0" role="application" onKeyDown=${onKeyDown}
        aria-busy=${view ? "false" : "true"} aria-label=${`Map of ${points.count} images. Drag a rectangle to select images. Arrow keys move the map, plus and minus zoom, Enter selects what is in view, Escape clears the selection.`}></div>
      ${box && html`<span class="widget-box" style=${boxStyle(box)}></span>`}
      ${centre && !box && html`<${Card} ...${{ ask, site, row: points.rows[hovered], view, centre }} />`}
      <p class="map-axes">${chunk.axes.join(" · ")}</p>
    </div>
    ${chunk.count < chunk.total && html`<p class="note">A sample of ${chunk.count} of ${chunk.total} images is shown.</p>`}
    ${selection.length > 0 && html`<ul class="widget-chosen" tabindex="0" aria-label="Selected images">
      ${selection.slice(0, SHOWN).map((row) => html`<${Chosen} key=${row} ...${{ ask, site, row }} />`)}
      ${selection.length > SHOWN && html`<li class="muted">and ${selection.length - SHOWN} others</li>`}</ul>`}
  </div>`;
}

const pointAt = (view, points, passes, left, top) => nearest(points, passes, ...view.toMap(left, top), REACH / view.scale);

const boxStyle = ([x0, y0, x1, y1]) => ({ left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });

/** Pointer and wheel of the map: dragging selects a rectangle, or moves the map. */
function usePointer(place, view, moves, actions) {
  const latest = useRef();
  latest.current = { moves, actions };
  useLayoutEffect(() => {
    const element = place.current;
    if (!view) return undefined;
    let from = null;
    let last = null;
    let timer = null;
    const at = (event) => {
      const frame = element.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };
    const between = ([xa, ya], [xb, yb]) => [Math.min(xa, xb), Math.min(ya, yb), Math.max(xa, xb), Math.max(ya, yb)];
    const down = (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      from = last = at(event);
    };
    const move = (event) => {
      const now = at(event);
      clearTimeout(timer);
      if (!from) {
        timer = setTimeout(() => latest.current.actions.hover(...now), HOVER_MS);
        return;
      }
      if (latest.current.moves) view.pan(now[0] - last[0], now[1] - last[1]);
      else latest.current.actions.box(between(from, now));
      last = now;
    };
    const up = (event) => {
      if (!from) return;
      const now = at(event);
      const box = between(from, now);
      from = null;
      latest.current.actions.box(null);
      if (Math.max(box[2] - box[0], box[3] - box[1]) < CLICK) latest.current.actions.click(...now, event);
      else if (!latest.current.moves) latest.current.actions.select(box, event);
    };
    const leave = () => {
      clearTimeout(timer);
      latest.current.actions.hover(-1e9, -1e9);
    };
    const stop = () => {
      from = null;
      latest.current.actions.box(null);
    };
    const wheel = (event) => {
      if (!latest.current.moves && !event.ctrlKey) return; // the notebook scrolls
      event.preventDefault();
      view.zoomAt(...at(event), -event.deltaY * WHEEL_STEP * (event.deltaMode ? 16 : 1));
    };
    const events = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: stop, pointerleave: leave, wheel };
    for (const [name, listener] of Object.entries(events)) element.addEventListener(name, listener, { passive: false });
    return () => {
      clearTimeout(timer);
      for (const [name, listener] of Object.entries(events)) element.removeEventListener(name, listener);
    };
  }, [view]);
}

function Words({ site, item }) {
  const label = labelNames(site, item)[0];
  return html`<strong class="line">${item.name}</strong>
    ${label && html`<span class="line">label ${label}</span>`}
    ${item.predicted !== null && html`<span class="line ${item.correct === false ? "verdict wrong" : ""}">
      ${item.correct === false ? "✗ " : ""}predicted ${outputName(site, item.predicted)} ${percent(item.probability)}</span>`}`;
}

/** What is known of an image, beside its point. */
function Card({ ask, site, row, view, centre: [x, y] }) {
  const [item] = useLoaded(() => ask("photo", { row }), [row]);
  if (item?.row !== row) return null;
  const side = y > view.height / 2 ? { bottom: `${view.height - y + 16}px` } : { top: `${y + 16}px` };
  return html`<div class="map-card" aria-hidden="true" style=${{ left: `${Math.min(Math.max(x, 100), view.width - 100)}px`, ...side }}>
    ${item.preview && html`<img src=${address(item.preview)} alt="" class=${Math.max(...item.size) <= 64 ? "crisp" : ""} />`}
    <${Words} site=${site} item=${item} /></div>`;
}

function Chosen({ ask, site, row }) {
  const [item] = useLoaded(() => ask("photo", { row }), [row]);
  return html`<li>${item?.preview
      ? html`<img class="square" src=${address(item.preview)} alt="" width="64" height="64" />`
      : html`<span class="tile missing"></span>`}
    <span class="small"><span class="muted">${number(row, 9)}</span> ${item && html`<${Words} site=${site} item=${item} />`}</span></li>`;
}
