// The workbench, and links from the other pages to it.
import {
  html, loadSite, markReady, readState, render, root, setState, useAddress, useEffect, useRef, useState,
} from "./core.js";
import { ENDED, get, post } from "./live/api.js";
import { Cover } from "./live/cover.js";
import { Explain } from "./live/explain.js";
import { Neighbours } from "./live/neighbours.js";
import { Classes, PhotoCard, usePrediction } from "./live/photo.js";
import { Units } from "./live/units.js";

const MODES = [["explain", "Explain"], ["cover", "Cover"], ["units", "Units"], ["neighbours", "Neighbours"]];
const POLL_MS = 1500;
const FOLLOW_MS = 500;

/** Hook: the chunk `site`, loaded again when the pages have been written. */
function useSite(onError) {
  const [server, setServer] = useState(null);
  const [site, setSite] = useState(null);
  const isWritten = server && server.pages?.status === "done";
  useEffect(() => {
    let timer;
    const poll = async () => {
      try {
        const now = await get("state");
        setServer(now);
        if (now.pages && !ENDED.includes(now.pages.status)) timer = setTimeout(poll, POLL_MS);
      } catch (error) {
        onError(error);
      }
    };
    poll();
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (!server) return;
    window.convvizShared.chunks.delete("site");
    loadSite().then(setSite, onError);
  }, [!!server, isWritten]);
  return [server, site];
}

function Workbench() {
  const state = useAddress();
  const [error, setError] = useState(null);
  const [server, site] = useSite(setError);
  const [photo, setPhoto] = useState(null);
  const opened = useRef(null);
  const mode = MODES.some(([name]) => name === state.mode) ? state.mode : "explain";
  const model = Math.min(Number(state.model) || 0, (server?.models.length ?? 1) - 1);
  const prediction = usePrediction(model, photo, setError);

  // A photo of the run is part of the address; an uploaded one is known to this page only.
  useEffect(() => {
    const row = /^\d+$/.test(state.row ?? "") ? Number(state.row) : null;
    if (row === null || opened.current === row) return;
    opened.current = row;
    post("rows", { row }).then((p) => opened.current === row && setPhoto(p), setError);
  }, [state.row]);
  const open = (chosen) => {
    opened.current = chosen.row;
    setPhoto(chosen);
    setState({ row: chosen.row, box: null, at: null, target: null });
  };
  const ready = server && site && (!photo || prediction || error);
  useEffect(() => ready && markReady(), [!!ready]);
  if (!server) return error ? html`<p class="card problem" role="alert">${error.message}.</p>` : null;
  const props = { model, models: server.models, photo, site, state, job: prediction, prediction: prediction?.result.classes, onError: setError };
  return html`<div class="workbench">
    <div class="head"><h1>Workbench</h1>
      ${server.models.length > 1
        ? html`<label class="field">Model <select name="model" value=${model} onChange=${(e) => setState({ model: e.target.value })}>
            ${server.models.map((m, i) => html`<option value=${i}>${m.name}</option>`)}</select></label>`
        : html`<span class="sub">${server.models[0].name}</span>`}
    </div>
    ${error && html`<p class="card problem banner" role="alert">${error.message} <button type="button" class="quiet" onClick=${() => setError(null)}>Dismiss</button></p>`}
    <div class="bench">
      <div class="stack side">
        <${PhotoCard} photo=${photo} site=${site} pages=${server.pages && server.pages.status !== "done" ? server.pages : null} onOpen=${open} onError=${setError} />
        ${photo && html`<section class="card" aria-label="Prediction"><h2>Prediction</h2>
          ${prediction ? html`<${Classes} classes=${prediction.result.classes} chosen=${state.target} caption="Most probable classes"
              onChoose=${(label) => setState({ target: label === state.target ? null : label })} />
            <p class="small muted">Click a class to make it the target.</p>` : html`<p class="muted" role="status">Running the model…</p>`}
        </section>`}
      </div>
      <div class="stack main">
        <div class="tabs" role="tablist" aria-label="Tools">
          ${MODES.map(([name, text]) => html`<button type="button" role="tab" id=${`tab-${name}`} aria-selected=${mode === name} aria-controls="tool"
            tabindex=${mode === name ? 0 : -1} onClick=${() => setState({ mode: name })}
            onKeyDown=${(e) => moveTab(e, name)}>${text}</button>`)}
        </div>
        <div id="tool" role="tabpanel" aria-labelledby=${`tab-${mode}`}>
          <div hidden=${mode !== "explain"}><${Explain} ...${props} /></div>
          ${mode === "cover" && html`<${Cover} ...${props} />`}
          ${mode === "units" && html`<${Units} ...${props} canNote=${server.notes} />`}
          ${mode === "neighbours" && html`<${Neighbours} ...${props} />`}
        </div>
      </div>
    </div>
  </div>`;
}

function moveTab(event, name) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = MODES.findIndex(([mode]) => mode === name);
  const [next] = MODES[(at + step + MODES.length) % MODES.length];
  setState({ mode: next });
  document.getElementById(`tab-${next}`).focus();
}

/** Link from an image or a unit of the report to the workbench. */
async function addLink() {
  const site = await loadSite().catch(() => null);
  const slug = location.pathname.match(/layer\/([^/]+)\.html$/)?.[1];
  const layer = site?.layers.find((l) => l.slug === slug)?.name ?? "";
  const link = document.createElement("a");
  link.className = "to-workbench";
  const update = () => {
    const { id, unit } = readState();
    const page = document.body.dataset.page;
    const isUnit = unit !== undefined;
    link.hidden = !(isUnit || (page === "image" && id !== undefined));
    link.textContent = isUnit ? `Try unit ${unit} on a photo` : "Explain this image";
      link.href = `${root}live.html#${new URLSearchParams(isUnit ? { mode: "units", layer, unit } : { row: id ?? "" })}`;
  };
  for (const name of ["convviz:state", "hashchange", "popstate"]) window.addEventListener(name, update);
  update();
  document.body.append(link);
}

/** Shows the progress of the pages that are being written, and loads this page again at the end. */
async function followPages() {
  const [step, bar, counted] = ["step", "progress", "count"].map((id) => document.getElementById(id));
  if (!step) return; // the pages could not be written
  for (;;) {
    const pages = await get("state").then((state) => state.pages, () => null);
    // A reload keeps the part of the address after "#", with which a link to it would do nothing.
    if (pages && ENDED.includes(pages.status)) return location.reload();
    if (pages) {
      const { description, done, total } = pages.progress;
      step.textContent = description || "starting";
      counted.textContent = total ? `${done} of ${total}. ` : "";
      if (total) [bar.max, bar.value] = [total, done];
      else bar.removeAttribute("value");
    }
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

const place = document.getElementById("workbench");
if (place) render(html`<${Workbench} />`, place);
else if (document.body.dataset.page === "preparing") followPages();
else addLink();
