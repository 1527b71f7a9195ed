// The score with a rectangle of the photo covered.
import { CopyButton, html, number, percent, setState, useEffect, useRef, useState } from "../core.js";
import { ask, ENDED, follow } from "./api.js";
import { Classes } from "./photo.js";

const KEPT = 12;

/** Returns the rectangle "x0,y0,x1,y1" of the address as numbers; null if there is none. */
function boxOf(text) {
  const numbers = (text ?? "").split(",").map(Number);
  return numbers.length === 4 && numbers.every(Number.isInteger) ? numbers : null;
}

/** Drag a rectangle over the photo to see the score without it. */
export function Cover({ model, photo, state, job, onError }) {
  const stage = useRef();
  const [size, setSize] = useState(null);
  const [dragged, setDragged] = useState(null);
  const [answer, setAnswer] = useState(null);
  const [history, setHistory] = useState([]);
  const [preparing, setPreparing] = useState("");
  const latest = useRef(0);
  const box = dragged?.box ?? boxOf(state.box);
  const target = state.target ?? "";

  const score = async (at) => {
    const request = ++latest.current;
    const start = performance.now();
    try {
      const { result } = await ask(model, "cover", { photo: photo.id, box: at, target });
      if (request !== latest.current) return;
      const latency = performance.now() - start;
      setAnswer({ ...result, box: at, latency });
      setHistory((old) => [{ ...result, box: at }, ...old.filter((h) => h.box.join() !== at.join())].slice(0, KEPT));
      onError(null);
    } catch (error) {
      if (request === latest.current) onError(error);
    }
  };
  useEffect(() => {
    setAnswer(null);
    setHistory([]);
  }, [photo?.id, model, target]);
  // What a first rectangle would have to wait for is done now.
  useEffect(() => {
    if (photo && job) ask(model, "prepare_cover", { photo: photo.id }).catch(onError);
  }, [photo?.id, model, !!job]);
  useEffect(() => {
    const at = boxOf(state.box);
    if (photo && size && at) score(at);
  }, [photo?.id, model, target, state.box, !!size]);

  if (!photo) return html`<p class="card muted">Choose a photo first.</p>`;
  if (!job) return html`<p class="card muted" role="status">Running the model…</p>`;
  const point = (event) => {
    const frame = stage.current.getBoundingClientRect();
    const at = (value, side) => Math.round(Math.min(1, Math.max(0, value)) * side);
    return [at((event.clientX - frame.left) / frame.width, size[0]), at((event.clientY - frame.top) / frame.height, size[1])];
  };
  const between = ([xa, ya], [xb, yb]) => {
    const x0 = Math.min(xa, xb, size[0] - 1);
    const y0 = Math.min(ya, yb, size[1] - 1);
    return [x0, y0, Math.max(xa, xb, x0 + 1), Math.max(ya, yb, y0 + 1)];
  };
  const down = (event) => {
    if (event.button !== 0 || !size) return;
    event.preventDefault();
    stage.current.focus();
    stage.current.setPointerCapture(event.pointerId);
    const from = point(event);
    setDragged({ from, box: between(from, from) });
  };
  const move = (event) => dragged && setDragged({ ...dragged, box: between(dragged.from, point(event)) });
  const up = (event) => {
    if (!dragged) return;
    const at = between(dragged.from, point(event));
    setDragged(null);
    if (at.join() === state.box) score(at);
    setState({ box: at.join() });
  };
  const key = (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!steps[event.key] || !size) return;
    event.preventDefault();
    const unit = Math.max(1, Math.round(size[0] / 32));
    const [dx, dy] = steps[event.key].map((d) => d * unit);
    const [x0, y0, x1, y1] = box ?? [size[0] * 0.375, size[1] * 0.375, size[0] * 0.625, size[1] * 0.625].map(Math.round);
    const grown = event.shiftKey ? [x0, y0, x1 + dx, y1 + dy] : [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
    const width = Math.max(1, Math.min(size[0], grown[2] - grown[0]));
    const height = Math.max(1, Math.min(size[1], grown[3] - grown[1]));
    const left = Math.min(size[0] - width, Math.max(0, grown[0]));
    const top = Math.min(size[1] - height, Math.max(0, grown[1]));
    setState({ box: [left, top, left + width, top + height].join() }, { replace: true });
  };
  const prepare = () =>
    follow(model, "prepare_cover", { photo: photo.id, exports: true }, (j) => {
      setPreparing(ENDED.includes(j.status) ? j.result?.reason || j.error || "ready" : "preparing…");
    }).catch(onError);
  const share = ([x0, y0, x1, y1]) => ({
    left: `${(100 * x0) / size[0]}%`,
    top: `${(100 * y0) / size[1]}%`,
    width: `${(100 * (x1 - x0)) / size[0]}%`,
    height: `${(100 * (y1 - y0)) / size[1]}%`,
  });
  return html`<div class="split">
    <section class="card">
      <h2>Cover a part of the photo</h2>
      <p class="note">Drag a rectangle. It is filled with the mean colour, and the score is computed exactly.
        With the keyboard: arrows move it, <kbd>Shift</kbd> and arrows resize it.</p>
      <div class="cover-stage" ref=${stage} tabindex="0" role="application" aria-label="Photo: drag a rectangle, or use the arrow keys"
        onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => setDragged(null)} onKeyDown=${key}>
        <img src=${job.files["photo.png"]} alt=${photo.name} draggable=${false}
          class=${size && size[0] <= 64 ? "crisp" : ""} onLoad=${(e) => setSize([e.target.naturalWidth, e.target.naturalHeight])} />
        ${size && box && html`<span class="rectangle" style=${share(box)}></span>`}
      </div>
    </section>
    <section class="card stack" aria-live="polite">
      <h2>Score</h2>
      ${answer ? html`<${Score} answer=${answer} />` : html`<p class="muted">No rectangle yet.</p>`}
      ${answer && html`<div><h3>Most probable classes with it covered</h3><${Classes} classes=${answer.top} caption="Classes with the rectangle covered" /></div>
        <p class="small muted" id="latency" data-latency=${answer.latency} data-seconds=${answer.seconds} data-pass=${answer.full_pass}>
          ${`${Math.round(answer.latency)} ms from the mouse to the number; `}
          ${answer.incremental
            ? `only what the rectangle changes was computed, in ${number(1000 * answer.seconds, 2)} ms (a full pass of the unchanged photo took ${number(1000 * answer.full_pass, 2)} ms). `
            : `one full forward pass took ${number(1000 * answer.seconds, 2)} ms. `}
          ${answer.may_be_faster && !preparing && html`<button type="button" class="quiet" onClick=${prepare}>Prepare the incremental engine</button>`}
          ${preparing && html`<span role="status"> Incremental engine: ${preparing}.</span>`}</p>
        <p class="actions"><${CopyButton} text=${answer.python}>Copy Python</${CopyButton}></p>`}
      ${history.length > 1 && html`<div><h3>Rectangles so far</h3><ol class="history">${[...history].sort((a, b) => a.after - b.after).map((h) => html`<li key=${h.box.join()}>
        <button type="button" class="quiet" onClick=${() => setState({ box: h.box.join() })}>${h.box.join(", ")}</button>
        <span class="number">${signed(h.after - h.before)}</span></li>`)}</ol></div>`}
    </section>
  </div>`;
}

const signed = (value) => `${value < 0 ? "−" : "+"}${number(Math.abs(value), 3)}`;

function Score({ answer }) {
  const change = answer.after - answer.before;
  return html`<dl class="facts score-facts">
    <div><dt>${answer.label}: score</dt><dd id="covered-score">${number(answer.after, 4)} <span class=${change < 0 ? "down" : "up"}>${signed(change)}</span></dd></div>
    <div><dt>Unchanged photo</dt><dd>${number(answer.before, 4)}</dd></div>
    ${answer.probability_after !== null && html`<div><dt>Probability</dt><dd>${percent(answer.probability_before)} → ${percent(answer.probability_after)}</dd></div>`}
  </dl>`;
}
