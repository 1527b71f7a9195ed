// The nearest images of the run.
import { CopyButton, html, imageAddress, loadItem, number, setState, Thumb, useEffect, useLoaded, useState } from "../core.js";
import { ask } from "./api.js";

/** Images of the run that are nearest to the photo. */
export function Neighbours({ model, photo, site, state, onError }) {
  const [job, setJob] = useState(null);
  const k = Math.min(100, Math.max(1, Number(state.k) || 12));
  useEffect(() => {
    let isCurrent = true;
    setJob(null);
    const layer = state.near || null;
    if (photo) ask(model, "neighbours", { photo: photo.id, k, layer }).then((a) => isCurrent && setJob(a), (e) => isCurrent && (onError(e), setJob({ failed: true })));
    return () => (isCurrent = false);
  }, [model, photo?.id, k, state.near]);
  if (!photo) return html`<p class="card muted">Choose a photo first.</p>`;
  if (!job) return html`<p class="card muted" role="status">Searching the run…</p>`;
  if (job.failed) return null;
  const { result } = job;
  const hasThumbs = (site?.count ?? 0) > 0;
  return html`<section class="card">
    <div class="head"><h2>Nearest images of the run</h2><span class="sub">${result.unit} of ${result.layer}</span>
      ${result.layers.length > 1 && html`<label class="field">Features of <select name="near" value=${result.layer} onChange=${(e) => setState({ near: e.target.value })}>
        ${result.layers.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>`}
      <label class="field">Show <input type="number" min="1" max="100" value=${k} onChange=${(e) => setState({ k: e.target.value })} /></label>
      <${CopyButton} text=${result.python}>Copy Python</${CopyButton}></div>
    <ol class="neighbours">${result.found.map((match) => html`<li key=${match.id}>
      <a href=${hasThumbs && match.row !== null ? imageAddress(match.row) : `#row=${match.row}&mode=neighbours`}>
        ${hasThumbs && match.row !== null ? html`<${Thumb} row=${match.row} size=${112} />` : html`<span class="tile missing"></span>`}
        <span class="name">${hasThumbs && match.row !== null ? html`<${Name} row=${match.row} site=${site} />` : match.class ?? match.id}</span></a>
      ${match.row !== null && match.row === photo.row
        ? html`<span class="badge">this photo</span>`
        : html`<span class="small muted">${number(match.distance, 3)}</span>`}
      <button type="button" class="quiet small" onClick=${() => setState({ row: match.row })} disabled=${match.row === null || match.row === photo.row}>Open</button></li>`)}</ol>
  </section>`;
}

/** Class of an image of the run, or its name where it has no label. */
function Name({ row, site }) {
  const [item] = useLoaded(() => loadItem(row), [row]);
  return html`${item ? site.classes[item.label] ?? item.name : ""}`;
}
