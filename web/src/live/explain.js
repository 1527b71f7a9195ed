// Explanations side by side: explainers, targets and models.
import { CopyButton, html, number, percent, setState, useEffect, useRef, useState } from "../core.js";
import { ask, cancel, describeModel, ENDED, follow } from "./api.js";
import { Parameters } from "./fields.js";
import { MapView } from "./viewer.js";

const MAX_CARDS = 24;
let nextKey = 0;

/** Hook: the explainers of the registry; families are added when they are chosen. */
export function useExplainers(onError) {
  const [known, setKnown] = useState(null);
  useEffect(() => {
    ask(0, "explainers", {}).then((job) => setKnown(job.result), onError);
  }, []);
  const load = async (family) => {
    try {
      const { result } = await ask(0, "explainers", { family });
      setKnown((old) => ({
        ...old,
        explainers: [...old.explainers, ...result.explainers],
        families: old.families.filter((name) => name !== family),
      }));
    } catch (error) {
      onError(error);
    }
  };
  return [known, load];
}

const parametersOf = (state) =>
  Object.fromEntries(Object.entries(state).filter(([key]) => key.startsWith("p.")).map(([key, text]) => [key.slice(2), text]));

/** The form, and a card for each result. */
export function Explain({ models, model, photo, state, prediction, onError }) {
  const [known, loadFamily] = useExplainers(onError);
  const [described, setDescribed] = useState(null);
  const [cards, setCards] = useState([]);
  const [view, setView] = useState({ layer: "overlay", opacity: 0.8, smooth: false, shared: false });
  const [isHeld, setHeld] = useState(false);
  const [cursor, setCursor] = useState(null);
  useEffect(() => {
    describeModel(model).then(setDescribed, onError);
  }, [model]);
  useEffect(() => {
    const isText = (event) => event.target.matches?.("input, textarea, select, button, summary, a");
    const down = (event) => {
      if (event.key !== " " || isText(event)) return;
      event.preventDefault();
      setHeld(true);
    };
    const up = (event) => event.key === " " && setHeld(false);
    document.addEventListener("keydown", down);
    document.addEventListener("keyup", up);
    return () => {
      document.removeEventListener("keydown", down);
      document.removeEventListener("keyup", up);
    };
  }, []);
  if (!known) return html`<p class="card muted" role="status">Loading the model and its explainers…</p>`;
  const explainer = known.explainers.find((e) => e.name === state.explainer) ??
    known.explainers.find((e) => e.name === "occlusion") ?? known.explainers[0];
  const parameters = parametersOf(state);
  const update = (key, change) =>
    setCards((old) => old.map((card) => (card.key === key ? { ...card, ...change } : card)));

  const start = async (toModel, target) => {
    const key = ++nextKey;
    const card = { key, model: toModel, explainer: explainer.name, photo, target, job: null };
    setCards((old) => [card, ...old].slice(0, MAX_CARDS));
    try {
      const needsPhoto = explainer.needs_image;
      const args = { explainer: explainer.name, parameters, target, photo: needsPhoto ? photo.id : null };
      await follow(toModel, "explain", args, (job) => update(key, { job }));
    } catch (error) {
      update(key, { job: { status: "failed", error: error.message, progress: {} } });
    }
  };
  const run = (event) => {
    event.preventDefault();
    const targets = state.run === "classes" && prediction ? prediction.map((c) => String(c.index)).slice(0, 3) : [state.target ?? ""];
    const chosen = state.run === "models" ? models.map((_, i) => i) : [model];
    for (const m of chosen) for (const target of targets) start(m, target);
  };
  const groups = groupBy(known.explainers, (e) => e.distribution);
  const noPhoto = explainer.needs_image && !photo;
  const shownView = isHeld ? { ...view, layer: "photo" } : view;
  const ranges = view.shared ? sharedRanges(cards) : new Map();
  return html`<div class="stack">
    <form class="card explain-form" onSubmit=${run}>
      <div class="bar-of-controls">
        <label class="field">Explainer
          <select name="explainer" value=${explainer.name} onChange=${(e) => {
            if (e.target.value.startsWith("+")) return loadFamily(e.target.value.slice(1));
            const gone = Object.fromEntries(Object.keys(parameters).map((name) => [`p.${name}`, null]));
            return setState({ ...gone, explainer: e.target.value });
          }}>
            ${[...groups].map(([name, members]) => html`<optgroup label=${name}>
              ${members.map((e) => html`<option value=${e.name}>${e.name}</option>`)}</optgroup>`)}
            ${known.families.length > 0 && html`<optgroup label="load more">
              ${known.families.map((family) => html`<option value=${`+${family}`}>${family}.…</option>`)}</optgroup>`}
          </select></label>
        ${explainer.uses_target && html`<label class="field">Target
          <input type="text" name="target" list="targets" value=${state.target ?? ""} placeholder="the most probable class"
            onChange=${(e) => setState({ target: e.target.value })} /></label>
          <datalist id="targets">${(described?.labels ?? []).slice(0, 2000).map((label) => html`<option value=${label}></option>`)}</datalist>`}
        ${explainer.uses_target && html`<label class="field">Run for
          <select name="run" value=${state.run ?? ""} onChange=${(e) => setState({ run: e.target.value })}>
            <option value="">this target</option>
            <option value="classes">the three most probable classes</option>
            ${models.length > 1 && html`<option value="models">all models</option>`}
          </select></label>`}
        <button type="submit" class="primary" disabled=${noPhoto}>Run</button>
        ${noPhoto && html`<span class="muted small">Choose a photo first.</span>`}
      </div>
      <p class="note">${explainer.summary} <span class="badge">${explainer.distribution || "this session"}</span>
        ${explainer.needs_run && html` Write <code>@run</code> for the run that is open.`}</p>
      <${Parameters} explainer=${explainer} values=${parameters} layers=${described?.layers ?? []}
        onChange=${(name, text) => setState({ [`p.${name}`]: text })} />
    </form>
    ${Object.entries(known.unavailable).map(([name, reason]) => html`<p class="note">${name}: ${reason}</p>`)}
    ${cards.length > 0 && html`<${ViewControls} view=${view} onChange=${setView} count=${cards.length} onClear=${() => setCards([])} />`}
    <div class="cards" role="list" aria-label="Results">
      ${cards.map((card) => html`<${ResultCard} key=${card.key} card=${card} models=${models} view=${shownView}
        range=${ranges.get(card.key)} cursor=${cursor} onCursor=${setCursor} onError=${onError}
        onRemove=${() => setCards((old) => old.filter((c) => c.key !== card.key))} />`)}
    </div>
    <${AgreementTable} cards=${cards} />
  </div>`;
}

function groupBy(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value) || "this session";
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}

/** Returns card key -> common range of all maps with the same unit and sign. */
function sharedRanges(cards) {
  const maps = cards.filter((card) => card.job?.result?.map && !card.job.files["map.png"]);
  const ranges = new Map();
  for (const [, group] of groupBy(maps, (card) => `${card.job.result.map.unit}|${card.job.result.map.signed}`)) {
    const low = Math.min(...group.map((card) => card.job.result.map.low));
    const high = Math.max(...group.map((card) => card.job.result.map.high));
    for (const card of group) ranges.set(card.key, [low, high]);
  }
  return ranges;
}

function ViewControls({ view, onChange, count, onClear }) {
  const choose = (change) => onChange({ ...view, ...change });
  const button = (layer, text) => html`<button type="button" aria-pressed=${view.layer === layer} onClick=${() => choose({ layer })}>${text}</button>`;
  return html`<div class="bar-of-controls view-controls" role="group" aria-label="View of the maps">
    <span class="joined">${button("overlay", "Over photo")}${button("map", "Map")}${button("photo", "Photo")}</span>
    <label class="field">Opacity <input type="range" min="0" max="1" step="0.05" value=${view.opacity}
      onInput=${(e) => choose({ opacity: Number(e.target.value) })} /></label>
    <label class="field"><input type="checkbox" checked=${view.smooth} onChange=${(e) => choose({ smooth: e.target.checked })} /> Smooth</label>
    <label class="field"><input type="checkbox" checked=${view.shared} onChange=${(e) => choose({ shared: e.target.checked })} /> One scale per unit</label>
    <span class="muted small">Hold <kbd>Space</kbd> for the photo alone.</span>
    <button type="button" class="quiet" onClick=${onClear}>Remove all ${count}</button>
  </div>`;
}

function ResultCard({ card, models, view, range, cursor, onCursor, onRemove, onError }) {
  const { job, explainer } = card;
  const result = job?.result;
  const target = result?.targets?.[0];
  const title = html`<header class="card-head">
    <h2>${explainer}${result?.layer ? html` <span class="muted">${result.layer}</span>` : ""}</h2>
    <button type="button" class="quiet" aria-label=${`Remove ${explainer}`} onClick=${onRemove}>✕</button>
    <p class="small muted">
      ${target && html`<b>${target.label}</b> ${target.quantity} ${number(target.score, 4)} · `}
      ${models.length > 1 && html`${models[card.model].name} · `}${card.photo?.name ?? ""}
      ${result && html` · ${number(result.seconds, 2)} s`}</p>
  </header>`;
  return html`<article class="card result" role="listitem" data-status=${job?.status ?? "starting"}>
    ${title}<${ResultBody} card=${card} view=${view} range=${range} cursor=${cursor} onCursor=${onCursor} onError=${onError} />
  </article>`;
}

function ResultBody({ card, view, range, cursor, onCursor, onError }) {
  const { job } = card;
  if (!job || !ENDED.includes(job.status)) {
    const { description, done, total } = job?.progress ?? {};
    return html`<div class="running" role="status">
      <progress max=${total || undefined} value=${total ? done : undefined}></progress>
      <p class="small muted">${job?.status === "running" ? description || "computing" : "waiting for the model"}
        ${total ? ` ${Math.round(done)} of ${Math.round(total)}` : ""}</p>
      ${job?.id && html`<button type="button" onClick=${() => cancel(job.id).catch(onError)}>Cancel</button>`}
    </div>`;
  }
  if (job.status === "cancelled") return html`<p class="muted" role="status">Cancelled.</p>`;
  if (job.status === "failed") return html`<p class="problem" role="alert">${job.error}</p>`;
  const { result, files } = job;
  const isMap = result.map && files["photo.png"];
  return html`
    ${isMap
      ? html`<${MapView} photo=${files["photo.png"]} map=${result.map} mapFile=${files["values.bin"]} imageFile=${files["map.png"]}
          view=${view} range=${range} cursor=${cursor} onCursor=${onCursor} label=${card.photo?.name ?? ""} />`
      : html`<${Pictures} pictures=${result.pictures} files=${files} />`}
    ${result.notes.map((note) => html`<p class="note">${note}</p>`)}
    ${result.map?.note && html`<p class="note">${result.map.note}</p>`}
    <details class="small"><summary>Numbers and parameters</summary>
      <dl class="pairs">${result.measures.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}
        ${Object.entries(result.parameters).map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>
    </details>
    <${Actions} card=${card} onError=${onError} />`;
}

/** The first picture; further ones on request, since there may be many. */
function Pictures({ pictures, files }) {
  const figure = (picture) => html`<figure key=${picture.file}>
    <a href=${files[picture.file]} target="_blank" rel="noopener"><img class="picture" src=${files[picture.file]} alt=${picture.caption} /></a>
    <figcaption class="small muted">${picture.caption}</figcaption></figure>`;
  return html`${pictures.slice(0, 1).map(figure)}
    ${pictures.length > 1 && html`<details><summary>${pictures.length - 1} further pictures</summary>${pictures.slice(1).map(figure)}</details>`}`;
}

/** Copies the lines that reproduce a result, and downloads its pictures. */
function Actions({ card, onError }) {
  const { result, files } = card.job;
  const save = async (format) => {
    try {
      const job = await ask(card.model, "draw", { result: result.result, format });
      const [[name, address]] = Object.entries(job.files);
      const link = document.createElement("a");
      link.href = address;
      link.download = `${card.explainer}-${name}`;
      link.click();
    } catch (error) {
      onError(error);
    }
  };
  return html`<p class="actions">
    <${CopyButton} text=${result.python}>Copy Python</${CopyButton}>
    <${CopyButton} text=${result.shell}>Copy shell</${CopyButton}>
    ${["png", "svg", "pdf"].map((format) => html`<button type="button" class="quiet" onClick=${() => save(format)}>${format.toUpperCase()}</button>`)}
    ${files["values.bin"] && html`<a class="quiet button" href=${files["values.bin"]} download=${`${card.explainer}.f32`} title="float32, row by row">Numbers</a>`}
  </p>`;
}

/** How far the maps of one model and photo agree. */
function AgreementTable({ cards }) {
  const [pairs, setPairs] = useState(null);
  const groups = groupBy(cards.filter((c) => c.job?.status === "done" && c.job.result.map), (c) => `${c.model}|${c.photo?.id}`);
  const group = [...groups.values()].find((members) => members.length > 1)?.slice(0, 6).reverse() ?? [];
  const key = group.map((c) => c.job.result.result).join();
  const latest = useRef(key);
  latest.current = key;
  useEffect(() => {
    setPairs(null);
    if (group.length < 2) return;
    ask(group[0].model, "agreement", { results: key.split(",") }).then(
      (job) => latest.current === key && setPairs(job.result.pairs),
      () => {},
    );
  }, [key]);
  if (!pairs) return null;
  const name = (i) => `${group[i].explainer}${group[i].job.result.targets[0] ? `, ${group[i].job.result.targets[0].label}` : ""}`;
  return html`<section class="card"><h2>Agreement of the maps</h2>
    <div class="scroll"><table><thead><tr><th>maps</th><th class="number">rank correlation</th><th class="number">overlap of the top 10 %</th></tr></thead>
    <tbody>${pairs.map((p) => html`<tr><th>${name(p.pair[0])} — ${name(p.pair[1])}</th>
      ${p.reason ? html`<td colspan="2" class="muted">${p.reason}</td>` : html`<td class="number">${number(p.rank_correlation, 2)}</td><td class="number">${percent(p.overlap)}</td>`}</tr>`)}
    </tbody></table></div></section>`;
}
