// The list of images: search, filters, order, thumbnails.
import {
  count, html, itemOf, loadChunk, loadSite, markReady, percent, Problem, render, setState, useAddress,
  useEffect, useKeys, useMemo, useRef, useState,
} from "./core.js";
import { isSamePrediction, labelNames, outputName, secondOutputName } from "./names.js";
import { Picture } from "./picture.js";

const PAGE = 120; // tiles that are added at a time

const collator = new Intl.Collator(undefined, { numeric: true });

const VERDICTS = [
  ["", "all"],
  ["right", "right"],
  ["wrong", "wrong"],
  ["unknown", "no label"],
];
const comparisons = ({ run }) => [
  ["", "all"],
  ["same", "the same"],
  ["differs", "another"],
  ["lost", `wrong, right in ${run}`],
  ["gained", `right, wrong in ${run}`],
];
const ORDERS = [
  ["", "order of the data set"],
  ["confidence", "most confident first"],
  ["doubt", "least confident first"],
  ["name", "name"],
  ["class", "class"],
];

/** Returns the items of all blocks, and how many blocks are still missing. */
function useItems(site) {
  const [items, setItems] = useState([]);
  const [error, setError] = useState(null);
  const total = Math.ceil(site.count / site.block);
  useEffect(() => {
    let isCurrent = true;
    const blocks = [];
    const load = async () => {
      for (let block = 0; block < total; block++) {
        const chunk = await loadChunk(`items-${String(block).padStart(3, "0")}`);
        if (!isCurrent) return;
        for (let i = 0; i < chunk.names.length; i++) blocks.push(itemOf(chunk, chunk.start + i));
        // The first block is shown at once, later ones in steps, so that sorting does not repeat too often.
        if (block === 0 || block === total - 1 || block % 16 === 0) setItems([...blocks]);
      }
    };
    load().catch((reason) => isCurrent && setError(reason));
    return () => (isCurrent = false);
  }, [site]);
  return [items, error];
}

/** Returns whether the prediction of the second run compares with that of the first as asked. */
function comparesAs(site, item, asked) {
  if (asked === "lost") return item.correct === true && item.second.correct === false;
  if (asked === "gained") return item.correct === false && item.second.correct === true;
  const same = isSamePrediction(site, item);
  return same !== null && same === (asked === "same");
}

/** Returns a function that says whether an item passes the filters of a state. */
function filterOf(site, state) {
  const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return (item) => {
    const labels = labelNames(site, item);
    const predicted = outputName(site, item.predicted);
    if (state.class && !labels.includes(state.class)) return false;
    if (state.predicted && predicted !== state.predicted) return false;
    if (state.correct === "right" && item.correct !== true) return false;
    if (state.correct === "wrong" && item.correct !== false) return false;
    if (state.correct === "unknown" && item.correct !== null) return false;
    if (state.second && site.second && !comparesAs(site, item, state.second)) return false;
    const text = `${item.name} ${labels.join(" ")} ${predicted}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

function sorted(site, items, order) {
  const by = (key, direction = 1) => [...items].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === y) return a.row - b.row;
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return direction * (typeof x === "number" ? x - y : collator.compare(x, y));
  });
  if (order === "confidence") return by((item) => item.probability, -1);
  if (order === "doubt") return by((item) => item.probability);
  if (order === "name") return by((item) => item.name);
  if (order === "class") return by((item) => labelNames(site, item)[0] ?? "");
  return items;
}

/** One image of the grid. */
function Entry({ site, item, isCurrent, onFocus }) {
  const label = labelNames(site, item)[0] ?? "";
  const predicted = outputName(site, item.predicted);
  const isSame = isSamePrediction(site, item);
  const second = secondOutputName(site, item.second.predicted);
  const mark = item.correct === false ? "wrong" : item.correct === true ? "right" : "";
  const verdict = mark === "wrong" ? `✗ ${predicted}` : predicted === label ? "✓" : predicted;
  const spoken = [item.name, label && `label ${label}`, predicted && `predicted ${predicted} ${percent(item.probability)}`, mark, isSame !== true && second && `in ${site.second.run} ${second}`]
    .filter(Boolean).join(", ");
  return html`<li>
    <a class="image-item ${mark}" href=${`image.html#id=${item.row}`} aria-label=${spoken} data-row=${item.row}
      tabindex=${isCurrent ? 0 : -1} onFocus=${onFocus}>
      <${Picture} item=${item} size=${112} />
      <span class="line name">${item.name}</span>
      ${label && html`<span class="line">${label}</span>`}
      ${predicted && html`<span class="verdict"><span class="line">${verdict}</span>
        <span class="share">${percent(item.probability)}</span></span>`}
      ${isSame !== true && second && html`<span class="verdict"><span class="line"><span class="muted">${site.second.run}: </span>${
        item.second.correct === false && "✗ "}${second}</span><span class="share">${percent(item.second.probability)}</span></span>`}
    </a>
  </li>`;
}

function Choice({ name, title, options, value }) {
  return html`<label class="field">${title}
    <select value=${value} onChange=${(event) => setState({ [name]: event.target.value })}>
      ${options.map(([key, text]) => html`<option value=${key}>${text}</option>`)}
    </select>
  </label>`;
}

function ClassField({ name, title, names, value }) {
  const change = (event) => setState({ [name]: event.target.value }, { replace: true });
  return html`<label class="field">${title}
    <input type="search" list=${`${name}-names`} value=${value} placeholder="any" onInput=${change} />
    <datalist id=${`${name}-names`}>${names.map((text) => html`<option value=${text} />`)}</datalist>
  </label>`;
}

/** Moves the focus in a grid with the arrow keys. */
function moveFocus(event, list, index, length, onMove) {
  const tiles = list.children;
  const columns = Math.max(1, [...tiles].findIndex((tile) => tile.offsetTop > tiles[0].offsetTop));
  const width = columns === 1 && tiles[1]?.offsetTop === tiles[0]?.offsetTop ? tiles.length : columns;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
  const target = event.key === "Home" ? 0 : event.key === "End" ? length - 1 : step ? index + step : null;
  if (target === null || target < 0 || target >= length) return;
  event.preventDefault();
  onMove(target);
}

function Images({ site }) {
  const state = useAddress();
  const [items, error] = useItems(site);
  const [shown, setShown] = useState(PAGE);
  const [current, setCurrent] = useState(0);
  const list = useRef();
  const search = useRef();
  const chosen = useMemo(() => sorted(site, items.filter(filterOf(site, state)), state.sort), [site, items, state]);
  const hasPredictions = items.some((item) => item.predicted !== null);
  const isLabelled = items.some((item) => item.correct !== null);
  const outputs = useMemo(() => [...new Set(items.map((item) => outputName(site, item.predicted)))].filter(Boolean).sort(), [items]);
  const classes = useMemo(() => [...new Set(items.flatMap((item) => labelNames(site, item).slice(0, 1)))].sort(), [items]);
  useKeys({ "/": () => search.current.focus() });
  useEffect(() => {
    setShown(PAGE);
    setCurrent(0);
  }, [state]);
  useEffect(() => {
    if (items.length) markReady();
  }, [items]);
  const more = useRef();
  useEffect(() => {
    if (!more.current) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setShown((value) => value + PAGE),
      { rootMargin: "400px" },
    );
    observer.observe(more.current);
    return () => observer.disconnect();
  }, [shown < chosen.length, shown]);
  const move = (target) => {
    if (target >= shown) setShown(target + PAGE);
    setCurrent(target);
    const focus = () => list.current.children[target]?.firstElementChild?.focus();
    // At once, so that the next key reaches the new tile; later, if it has yet to be drawn.
    if (target < list.current.children.length) focus();
    else requestAnimationFrame(focus);
  };
  if (error) return html`<${Problem} error=${error} />`;
  const isPartial = items.length < site.count;
  const isFiltered = ["q", "class", "predicted", "correct", "second"].some((name) => state[name]);
  return html`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${search} type="search" value=${state.q ?? ""} placeholder="file, class or prediction  ( / )"
          onInput=${(event) => setState({ q: event.target.value }, { replace: true })} />
      </label>
      ${classes.length > 0 && html`<${ClassField} name="class" title="Label" names=${classes} value=${state.class ?? ""} />`}
      ${hasPredictions && html`<${ClassField} name="predicted" title="Predicted" names=${outputs} value=${state.predicted ?? ""} />
        ${isLabelled && html`<${Choice} name="correct" title="Prediction is" options=${VERDICTS} value=${state.correct ?? ""} />`}`}
      ${items.some((item) => isSamePrediction(site, item) !== null) && html`<${Choice} name="second" title=${`Prediction in ${site.second.run}`}
        options=${comparisons(site).filter(([key]) => isLabelled || !["lost", "gained"].includes(key))} value=${state.second ?? ""} />`}
      <${Choice} name="sort" title="Order" value=${state.sort ?? ""}
        options=${hasPredictions ? ORDERS : ORDERS.filter(([key]) => key !== "confidence" && key !== "doubt")} />
    </div>
    <p class="note" role="status">
      ${count(chosen.length)} ${isFiltered ? `of ${count(items.length)}` : ""} images${isPartial ? `; ${count(site.count - items.length)} are loading …` : ""}
      ${isFiltered && html` <a href="#" onClick=${(event) => {
        event.preventDefault();
        setState({ q: null, class: null, predicted: null, correct: null, second: null });
      }}>show all</a>`}
    </p>
    ${chosen.length === 0 && !isPartial && html`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${list} onKeyDown=${(event) => moveFocus(event, list.current, current, chosen.length, move)}>
      ${chosen.slice(0, shown).map((item, index) => html`<${Entry} key=${item.row} site=${site} item=${item}
        isCurrent=${index === current} onFocus=${() => setCurrent(index)} />`)}
    </ol>
    ${shown < chosen.length && html`<p ref=${more}><button type="button" onClick=${() => setShown(shown + PAGE)}>
      Show more of ${count(chosen.length)}</button></p>`}`;
}

export async function startImages() {
  const place = document.getElementById("images");
  try {
    const site = await loadSite();
    render(html`<${Images} site=${site} />`, place);
    if (site.count === 0) markReady();
  } catch (error) {
    render(html`<${Problem} error=${error} />`, place);
    markReady();
  }
}
