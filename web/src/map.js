// The map of a layer: points coloured by class, thumbnails, search, filters, list of what is in view.
import {
  address, count, html, imageAddress, loadChunk, loadItem, loadSite, markReady, percent, Problem, render, setState, Thumb,
  Tile, useAddress, useEffect, useKeys, useLoaded, useMemo, useRef, useState,
} from "./core.js";
import { classesOf, colouring, FEW_CLASSES, Legend, MAX_LEGEND, useDark } from "./map_colours.js";
import { decodePoints, filterPoints, inside, nearest } from "./map_points.js";
import { MapView } from "./map_view.js";
import { labelNames, outputName } from "./names.js";

const HOVER_MS = 300;
const LISTED = 60;
const REACH = 12; // pixels between the pointer and the point that it means
const WHEEL_STEP = 0.0025;

/** What is known of an image, beside its point. */
function Card({ site, row, style, isFixed }) {
  const [item] = useLoaded(() => loadItem(row), [row]);
  if (!item) return null;
  const label = labelNames(site, item)[0];
  const predicted = outputName(site, item.predicted);
  return html`<div class="map-card ${isFixed ? "fixed" : ""}" style=${style} aria-hidden="true">
    ${item.preview
      ? html`<img src=${address(item.preview)} alt="" class=${Math.max(...item.size) <= 64 ? "crisp" : ""} />`
      : html`<${Tile} tile=${item.thumb} size=${128} />`}
    <strong>${item.name}</strong>
    ${label && html`<span>label ${label}</span>`}
    ${predicted && html`<span class=${item.correct === false ? "verdict wrong" : ""}>
      ${item.correct === false ? "✗ predicted" : "predicted"} ${predicted} ${percent(item.probability)}</span>`}
  </div>`;
}

/** One image of the list. */
function Listed({ site, row, isCurrent, onPoint }) {
  const [item] = useLoaded(() => loadItem(row), [row]);
  const label = item && labelNames(site, item)[0];
  return html`<li>
    <a class="listed ${isCurrent ? "current" : ""}" href=${imageAddress(row)} onFocus=${onPoint} onPointerEnter=${onPoint}>
      <${Thumb} row=${row} size=${40} />
      <span><span class="line">${item?.name ?? "…"}</span>
        <span class="line muted small">${item?.correct === false ? html`<span class="verdict wrong">✗ ${outputName(site, item.predicted)}</span>, label ` : ""}${label ?? ""}</span>
      </span>
    </a>
  </li>`;
}

/** Returns the rows of the images that match a search; undefined while they are being searched. */
function useSearch(site, words) {
  const [rows, setRows] = useState(null);
  useEffect(() => {
    if (!words) {
      setRows(null);
      return undefined;
    }
    let isCurrent = true;
    const search = async () => {
      const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
      const found = new Set();
      for (let block = 0; block * site.block < site.count; block++) {
        const chunk = await loadChunk(`items-${String(block).padStart(3, "0")}`);
        if (!isCurrent) return;
        chunk.names.forEach((name, i) => {
          const names = labelNames(site, { label: chunk.labels?.[i] ?? null });
          const text = `${name} ${names.join(" ")} ${outputName(site, chunk.predicted?.[i] ?? null)}`.toLowerCase();
          if (parts.every((part) => text.includes(part))) found.add(chunk.start + i);
        });
      }
      setRows(found);
    };
    const timer = setTimeout(() => search().catch(() => isCurrent && setRows(new Set())), 150);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [words]);
  return words ? rows : null; // without words at once, not after the next effect
}

/** Pointer, wheel and keys of the map. */
function useGestures(place, view, actions) {
  useEffect(() => {
    const element = place.current;
    if (!element || !view) return undefined;
    const pointers = new Map();
    let moved = 0;
    const at = (event) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spreadOf = () => {
      const [a, b] = [...pointers.values()];
      return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    };
    const down = (event) => {
      element.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
      moved = 0;
      actions.leave();
    };
    const move = (event) => {
      const previous = pointers.get(event.pointerId);
      const now = at(event);
      if (!previous) return actions.hover(...now);
      if (pointers.size === 2) {
        const [before, x0, y0] = spreadOf();
        pointers.set(event.pointerId, now);
        const [after, x, y] = spreadOf();
        view.pan(x - x0, y - y0);
        view.zoomAt(x, y, Math.log2(after / before));
      } else {
        pointers.set(event.pointerId, now);
        view.pan(now[0] - previous[0], now[1] - previous[1]);
      }
      moved += Math.hypot(now[0] - previous[0], now[1] - previous[1]);
      return undefined;
    };
    const up = (event) => {
      const wasDown = pointers.delete(event.pointerId);
      if (wasDown && moved < 5) actions.click(...at(event));
      else if (wasDown) actions.settled();
    };
    const wheel = (event) => {
      event.preventDefault();
      view.zoomAt(...at(event), -event.deltaY * WHEEL_STEP * (event.deltaMode ? 16 : 1));
      actions.settled();
    };
    const events = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, pointerleave: actions.leave, wheel };
    for (const [name, listener] of Object.entries(events)) element.addEventListener(name, listener, { passive: false });
    return () => {
      for (const [name, listener] of Object.entries(events)) element.removeEventListener(name, listener);
    };
  }, [view]);
}

/** Text of the address for a view: x, y and zoom. */
const viewText = ({ x, y, zoom }) => [x.toFixed(4), y.toFixed(4), zoom.toFixed(2)].join(",");

function Map_({ site, chunk, slug }) {
  const points = useMemo(() => decodePoints(chunk), [chunk]);
  const classes = useMemo(() => classesOf(site, points), [points]);
  const state = useAddress();
  const isDark = useDark();
  const place = useRef();
  const search = useRef();
  const [view, setMapView] = useState(null);
  const [hovered, setHovered] = useState(null);
  const [listed, setListed] = useState([]);
  const found = useSearch(site, state.q ?? "");
  const labelOf = (name) => classes.find(([, text]) => text === name)?.[0] ?? null;
  const highlighted = labelOf(state.class);
  const filtered = state.only === "1" ? highlighted : null;
  const passes = useMemo(
    () => filterPoints(points, { label: filtered, verdict: points.wrong ? state.correct : null, found }),
    [points, filtered, state.correct, found],
  );
  const colours = useMemo(
    () => colouring(points, classes, chunk.palette, highlighted, passes, isDark),
    [points, classes, highlighted, passes, isDark],
  );
  const chosenPoint = state.id === undefined ? -1 : (points.pointOfRow.get(Number(state.id)) ?? -1);
  const isMissing = state.id !== undefined && chosenPoint < 0;
  const refs = useRef({});
  refs.current = { passes, setListed };

  const list = (map) => {
    const ranked = inside(points, refs.current.passes, map.box);
    setListed([ranked.length, [...ranked.subarray(0, LISTED)]]);
  };
  useEffect(() => {
    let timer = null;
    const map = new MapView(place.current, points, chunk.thumbs, () => {
      clearTimeout(timer);
      timer = setTimeout(() => list(map), 120);
    }, state.renderer);
    setMapView(map);
    window.convvizMap = map; // for measurements
    return () => clearTimeout(timer);
  }, [points]);
  useEffect(() => {
    if (!view) return;
    const [x, y, zoom] = (state.view ?? "").split(",").map(Number);
    if ([x, y, zoom].every(Number.isFinite) && state.view) view.setView({ x, y, zoom });
    else if (chosenPoint >= 0) {
      view.setView({ x: points.positions[2 * chosenPoint], y: points.positions[2 * chosenPoint + 1], zoom: 2 });
    } else view.reset();
  }, [view, state.view, chosenPoint]);
  useEffect(() => view?.setPoints(passes, colours.of), [view, passes, colours]);
  useEffect(() => view?.setThumbs(state.thumbs !== "0"), [view, state.thumbs]);
  useEffect(() => {
    if (!view) return;
    view.setCurrent(hovered?.point ?? chosenPoint);
    requestAnimationFrame(() => requestAnimationFrame(markReady)); // the first frame is drawn
  }, [view, hovered, chosenPoint]);

  const timer = useRef(null);
  const pick = (left, top) => {
    const [x, y] = view.toMap(left, top);
    const side = view.width < 600 ? 30 : 56;
    return nearest(points, refs.current.passes, x, y, Math.max(REACH, view.showThumbs ? side / 2 : 0) / view.scale);
  };
  useGestures(place, view, {
    hover: (left, top) => {
      clearTimeout(timer.current);
      const point = pick(left, top);
      place.current.classList.toggle("pointing", point >= 0);
      if (point < 0) setHovered(null);
      else timer.current = setTimeout(() => setHovered({ point, left, top }), HOVER_MS);
    },
    leave: () => {
      clearTimeout(timer.current);
      setHovered(null);
    },
    click: (left, top) => {
      const point = pick(left, top);
      if (point >= 0) location.href = imageAddress(points.rows[point]);
    },
    settled: () => setState({ view: viewText(view.view) }, { replace: true }),
  });
  const settle = (act) => () => {
    act();
    setState({ view: viewText(view.view) }, { replace: true });
  };
  const step = () => view.width / 6;
  const fit = () => {
    setState({ view: null, id: null }, { replace: true });
    view.reset();
  };
  const moves = {
    "+": settle(() => view.zoomAt(view.width / 2, view.height / 2, 0.5)),
    "=": settle(() => view.zoomAt(view.width / 2, view.height / 2, 0.5)),
    "-": settle(() => view.zoomAt(view.width / 2, view.height / 2, -0.5)),
    0: fit,
    "/": () => search.current.focus(),
  };
  useKeys(view ? moves : {});
  const arrows = {
    ArrowLeft: () => view.pan(step(), 0),
    ArrowRight: () => view.pan(-step(), 0),
    ArrowUp: () => view.pan(0, step()),
    ArrowDown: () => view.pan(0, -step()),
  };
  const onKeyDown = (event) => {
    if (!arrows[event.key]) return;
    event.preventDefault();
    settle(arrows[event.key])();
  };
  const card = hovered && view.toScreen(points.positions[2 * hovered.point], points.positions[2 * hovered.point + 1]);
  const choose = (name, isChosen) => setState({ class: isChosen ? null : name, only: isChosen ? null : state.only });
  const [total, shown] = listed.length ? listed : [0, []];
  return html`<div class="bar-of-controls map-tools" role="search">
      <label class="field">Search <input ref=${search} type="search" placeholder="file, class or prediction ( / )" value=${state.q ?? ""}
        onInput=${(event) => setState({ q: event.target.value }, { replace: true })} /></label>
      ${classes.length > MAX_LEGEND && html`<label class="field">Highlight
        <input type="search" list="map-classes" placeholder="a class" value=${state.class ?? ""}
          onInput=${(event) => setState({ class: event.target.value }, { replace: true })} />
        <datalist id="map-classes">${classes.map(([, name]) => html`<option value=${name} />`)}</datalist></label>`}
      ${highlighted !== null && html`<label class="field"><input type="checkbox" checked=${state.only === "1"}
        onChange=${(event) => setState({ only: event.target.checked ? "1" : null })} /> only this class</label>`}
      ${points.wrong && html`<label class="field">Prediction is
        <select value=${state.correct ?? ""} onChange=${(event) => setState({ correct: event.target.value })}>
          <option value="">right or wrong</option><option value="right">right</option><option value="wrong">wrong</option>
        </select></label>`}
      <label class="field"><input type="checkbox" checked=${state.thumbs !== "0"}
        onChange=${(event) => setState({ thumbs: event.target.checked ? null : "0" }, { replace: true })} /> thumbnails</label>
      <span class="zooms">
        <button type="button" aria-label="Zoom in" onClick=${moves["+"]}>+</button>
        <button type="button" aria-label="Zoom out" onClick=${moves["-"]}>−</button>
        <button type="button" onClick=${fit}>Whole map</button>
      </span>
    </div>
    <${Legend} classes=${classes} colours=${colours} highlighted=${highlighted} choose=${choose} />
    ${isMissing && html`<p class="problem" role="alert">Image ${state.id} has no place on this map.</p>`}
    <div class="map-columns">
      <div class="map-frame">
        <div ref=${place} class="map-place" tabindex="0" role="application" onKeyDown=${onKeyDown}
          aria-label=${`Map of ${count(points.count)} images. Arrow keys move it, plus and minus zoom. The list beside it names the images in view.`}></div>
        ${card && html`<${Card} site=${site} row=${points.rows[hovered.point]} style=${{
          left: `${Math.min(Math.max(card[0], 100), view.width - 100)}px`,
          ...(card[1] > view.height / 2 ? { bottom: `${view.height - card[1] + 16}px` } : { top: `${card[1] + 16}px` }),
        }} />`}
        <p class="map-axes">${chunk.axes.join(" · ")}</p>
      </div>
      <section class="map-list" aria-labelledby="view-title">
        <h2 id="view-title">In view</h2>
        <p class="note" role="status">${count(total)} ${total === 1 ? "image" : "images"}${total > shown.length ? `, ${shown.length} of them listed; zoom in for others` : ""}</p>
        <ol>
          ${shown.map((i) => html`<${Listed} key=${i} site=${site} row=${points.rows[i]} isCurrent=${i === chosenPoint}
            onPoint=${() => view.setCurrent(i)} />`)}
        </ol>
      </section>
    </div>`;
}

async function start() {
  const place = document.getElementById("map");
  try {
    const { slug } = place.dataset;
    const [site, chunk] = await Promise.all([loadSite(), loadChunk(`map/${slug}`)]);
    render(html`<${Map_} site=${site} chunk=${chunk} slug=${slug} />`, place);
  } catch (error) {
    render(html`<${Problem} error=${error} />`, place);
    markReady();
  }
}

if (document.getElementById("map")) start();
