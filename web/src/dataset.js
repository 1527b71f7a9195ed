// The data-set page: tables that can be sorted, and the confusion matrix of many classes.
import { html, loadChunk, markReady, Problem, render, setState, useAddress, useEffect, useLoaded, useRef, useState } from "./core.js";
import { enhanceTables } from "./tables.js";

const SIDE = 560;
const REACH = 7; // pixels between the pointer and the cell that it means
const LISTED = 12;

const addressOf = (label, predicted) => `images.html#${new URLSearchParams({ class: label, predicted })}`;

/** Returns a function that finds the cell nearest to a point, in units of classes. */
function finder(cells, cellSize) {
  return (x, y) => {
    let best = null;
    let least = REACH;
    for (const cell of cells) {
      const gap = Math.max(Math.abs((cell[1] + 0.5) * cellSize - x), Math.abs((cell[0] + 0.5) * cellSize - y)) - cellSize / 2;
      if (gap < least || (gap === least && cell[2] > best[2])) [best, least] = [cell, gap];
    }
    return best;
  };
}

function draw(canvas, names, cells) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = SIDE * ratio;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const [right, wrong, line] = ["--right", "--wrong", "--line"].map((name) => style.getPropertyValue(name));
  const size = SIDE / names.length;
  const largest = cells.reduce((most, cell) => Math.max(most, cell[2]), 1);
  context.scale(ratio, ratio);
  context.strokeStyle = line;
  context.beginPath();
  context.moveTo(0, 0);
  context.lineTo(SIDE, SIDE);
  context.stroke();
  const side = Math.max(size, 3);
  for (const [label, predicted, count] of cells) {
    context.globalAlpha = 0.35 + 0.65 * Math.sqrt(count / largest);
    context.fillStyle = label === predicted ? right : wrong;
    context.fillRect((predicted + 0.5) * size - side / 2, (label + 0.5) * size - side / 2, side, side);
  }
}

/** Returns the class with the most wrong images. */
function mostConfused(names, cells) {
  const wrong = new Array(names.length).fill(0);
  for (const [label, predicted, number] of cells) if (label !== predicted) wrong[label] += number;
  return wrong.indexOf(Math.max(...wrong));
}

/** Links to the confusions of one class. */
function ClassConfusions({ names, cells, name }) {
  const index = names.indexOf(name);
  if (index < 0) return name ? html`<p class="note">No class has this name.</p>` : null;
  const list = (chosen, text) => {
    const wrong = chosen.sort((a, b) => b[2] - a[2]);
    return html`<div>
      <h4>${text}</h4>
      ${wrong.length === 0 && html`<p class="note">none</p>`}
      <ul>
        ${wrong.slice(0, LISTED).map(([label, predicted, count]) => html`<li key=${`${label}-${predicted}`}>
          <a href=${addressOf(names[label], names[predicted])}>${names[label === index ? predicted : label]}</a> ${count}
        </li>`)}
      </ul>
    </div>`;
  };
  const others = cells.filter((cell) => cell[0] !== cell[1]);
  return html`<div class="class-confusions">
    ${list(others.filter((cell) => cell[0] === index), "Its images predicted as another class")}
    ${list(others.filter((cell) => cell[1] === index), "Images of other classes predicted as it")}
  </div>`;
}

function FullMatrix({ name }) {
  const [matrix, error] = useLoaded(() => loadChunk(name), [name]);
  const canvas = useRef();
  const [cell, setCell] = useState(null);
  const { confusions } = useAddress();
  useEffect(() => {
    if (!matrix) return undefined;
    const again = () => draw(canvas.current, matrix.names, matrix.cells);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    again();
    scheme.addEventListener("change", again);
    return () => scheme.removeEventListener("change", again);
  }, [matrix]);
  if (error) return html`<${Problem} error=${error} />`;
  if (!matrix) return html`<p class="note">The matrix is loading …</p>`;
  const { names, cells } = matrix;
  const find = finder(cells, SIDE / names.length);
  const chosen = confusions ?? names[mostConfused(names, cells)];
  const cellAt = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return find(((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE);
  };
  const open = (event) => {
    const target = cellAt(event);
    if (target) location.href = addressOf(names[target[0]], names[target[1]]);
  };
  const text = cell
    ? `${names[cell[0]]}, predicted as ${names[cell[1]]}: ${cell[2]} ${cell[2] === 1 ? "image" : "images"}`
    : "Point at a cell to read it; click it to see its images.";
  return html`<h3>All ${names.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${canvas} class=${cell ? "pointing" : ""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${(event) => setCell(cellAt(event))} onPointerLeave=${() => setCell(null)} onClick=${open}></canvas>
        <figcaption>${text}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${chosen}
            onInput=${(event) => setState({ confusions: event.target.value }, { replace: true })} />
        </label>
        <datalist id="confused-classes">${names.map((text) => html`<option value=${text} />`)}</datalist>
        <${ClassConfusions} names=${names} cells=${cells} name=${chosen} />
      </div>
    </div>`;
}

export function startDataset() {
  enhanceTables();
  const place = document.getElementById("full-matrix");
  if (place) render(html`<${FullMatrix} name=${place.dataset.chunk} />`, place);
  markReady();
}
