// A unit on the photo: its activation map, and what it responds to at a position.
import { address, CopyButton, html, loadChunk, number, setState, Tile, useEffect, useLoaded, useState } from "../core.js";
import { ask, describeModel, get, post } from "./api.js";
import { PlaceInRun, TopPatches } from "./unit_in_run.js";
import { MapView } from "./viewer.js";

const MAP = { layer: "overlay", opacity: 0.85, smooth: false };
const UNITS_PER_SHEET = 512;
const PLAIN = { layer: "map", opacity: 1, smooth: false };

/** Activation map of a unit; a click shows the guided gradient and the receptive field there. */
export function Units({ model, photo, site, state, canNote, onError }) {
  const [described, setDescribed] = useState(null);
  const [job, setJob] = useState(null);
  const [gradient, setGradient] = useState(null);
  const [cursor, setCursor] = useState(null);
  useEffect(() => {
    setDescribed(null);
    describeModel(model).then(setDescribed, onError);
  }, [model]);
  const layers = (described?.layers ?? []).filter((layer) => layer.shape.length === 3);
  const usual = layers.find((layer) => layer.default_for.includes("activations")) ?? layers.at(-1);
  const layer = layers.find((l) => l.name === state.layer) ?? usual;
  // Without a unit in the address, that which is most active on the photo.
  const asked = /^\d+$/.test(state.unit ?? "") ? Math.min(Number(state.unit), (layer?.shape[0] ?? 1) - 1) : null;
  const unit = asked ?? job?.result.unit ?? 0;
  const place = /^\d+,\d+$/.test(state.at ?? "") ? state.at.split(",").map(Number) : null;
  useEffect(() => {
    let isCurrent = true;
    setJob(null);
    if (photo && layer)
      ask(model, "unit_map", { photo: photo.id, layer: layer.name, unit: asked }).then((a) => isCurrent && setJob(a), (e) => isCurrent && onError(e));
    return () => (isCurrent = false);
  }, [model, photo?.id, layer?.name, asked]);
  useEffect(() => {
    let isCurrent = true;
    setGradient(null);
    if (photo && layer && place)
      ask(model, "unit_gradient", { photo: photo.id, layer: layer.name, unit, y: place[0], x: place[1] }).then(
        (a) => isCurrent && setGradient(a), (e) => isCurrent && onError(e));
    return () => (isCurrent = false);
  }, [model, photo?.id, layer?.name, unit, state.at]);
  if (!described) return html`<p class="card muted" role="status">Loading the model…</p>`;
  if (!layer) return html`<p class="card muted">The model has no layer with maps.</p>`;
  const choose = (change) => setState({ at: null, ...change });
  const count = layer.shape[0];
  const { pages, slug } = site?.layers?.find((l) => l.name === layer.name) ?? {};
  const page = pages?.layer;
  const [rows, columns] = layer.shape.slice(1);
  const box = gradient?.result.box;
  return html`<div class="stack">
    <div class="card bar-of-controls">
      <label class="field">Layer <select name="layer" value=${layer.name} onChange=${(e) => choose({ layer: e.target.value, unit: null })}>
        ${layers.map((l) => html`<option value=${l.name}>${l.name} · ${l.shape.join(" × ")}</option>`)}</select></label>
      <span class="unit-choice" role="group" aria-label="Unit">
        <button type="button" aria-label="Previous unit" disabled=${unit <= 0} onClick=${() => choose({ layer: layer.name, unit: unit - 1 })}>←</button>
        <label class="field">Unit <input type="number" name="unit" min="0" max=${count - 1} value=${unit}
          onChange=${(e) => choose({ layer: layer.name, unit: e.target.value })} /></label>
        <button type="button" aria-label="Next unit" disabled=${unit >= count - 1} onClick=${() => choose({ layer: layer.name, unit: unit + 1 })}>→</button>
        <span class="muted">of ${count}</span></span>
      ${page && html`<a href=${`${address(page)}#unit=${unit}`}>Page of this unit</a>`}
    </div>
    ${job && html`<section class="card" aria-labelledby="strongest-title">
      <h2 id="strongest-title">Most active units of ${layer.name} on this photo</h2>
      <ol class="strongest">${job.result.strongest.map((entry) => html`<li key=${entry.unit}><button type="button"
        aria-pressed=${String(entry.unit === unit)} onClick=${() => choose({ layer: layer.name, unit: entry.unit })}>
        ${page && html`<${UnitTile} slug=${slug} unit=${entry.unit} />`}
        <b>${entry.unit}</b> <span class="muted">${number(entry.value)}</span></button></li>`)}</ol>
      ${job.result.strongest.length > 1 && job.result.strongest[0].value === job.result.strongest.at(-1).value &&
        html`<p class="note">They all have the same highest value, and are ordered by the mean of their maps.</p>`}
    </section>`}
    <div class="split even">
      <section class="card">
        <h2>Where the unit is active</h2>
        ${!photo ? html`<p class="muted">Choose a photo first.</p>` : !job ? html`<p class="muted" role="status">Running the model…</p>` : html`
          <${MapView} photo=${`api/jobs/${job.id}/files/photo.png`} map=${job.result.map} mapFile=${job.files["values.bin"]} view=${MAP}
            cursor=${cursor} onCursor=${setCursor} label=${photo.name}
            onPick=${({ row, column }) => setState({ layer: layer.name, unit, at: `${row},${column}` })}>
            ${box && html`<${Box} box=${box} size=${[described.width, described.height]} />`}
          </${MapView}>
          <p class="note">Largest activation ${number(job.result.value, 4)}. Receptive field ${job.result.receptive_field}. Click a position, or
            ${" "}<button type="button" class="quiet" onClick=${() => strongest(job, rows, columns).then((at) => setState({ layer: layer.name, unit, at }), onError)}>the strongest one</button>,
            to see what drives the unit there.</p>
          <${PlaceInRun} place=${job.result.place} />`}
      </section>
      <section class="card" aria-live="polite">
        <h2>What drives it ${place && html`<span class="muted">at row ${place[0]}, column ${place[1]}</span>`}</h2>
        ${!place ? html`<p class="muted">Click a position of the map.</p>` : !gradient ? html`<p class="muted" role="status">Computing the gradient…</p>` : html`
          ${gradient.result.map
            ? html`<${MapView} photo=${gradient.files["photo.png"]} map=${gradient.result.map} mapFile=${gradient.files["values.bin"]}
                imageFile=${gradient.files["map.png"]} view=${PLAIN} cursor=${cursor} onCursor=${setCursor} label=${photo.name}>
                ${box && html`<${Box} box=${box} size=${[described.width, described.height]} />`}</${MapView}>`
            : gradient.result.pictures.map((p) => html`<img class="picture" src=${gradient.files[p.file]} alt=${p.caption} />`)}
          <p class="note">Guided gradient of ${gradient.result.targets[0]?.label} (activation ${number(gradient.result.targets[0]?.score, 4)}).
            ${box ? ` The frame is its receptive field, ${box[2] - box[0]} × ${box[3] - box[1]} pixels. ` : " Its receptive field is the whole image. "}
            ${gradient.result.notes.join(" ")}</p>
          <p class="actions"><${CopyButton} text=${gradient.result.python}>Copy Python</${CopyButton}><${CopyButton} text=${gradient.result.shell}>Copy shell</${CopyButton}></p>`}
      </section>
    </div>
    <${TopPatches} site=${site} layer=${layer.name} unit=${unit} />
    ${canNote && (job || asked !== null) && html`<${NoteForm} key=${`${layer.name}:${unit}`} layer=${layer.name} unit=${unit} onError=${onError} />`}
  </div>`;
}

/** The top patch of a unit, from the contact sheet of its layer. */
function UnitTile({ slug, unit }) {
  const [layer] = useLoaded(() => loadChunk(`layer/${slug}/layer`), [slug]);
  const sheet = layer?.sheets[Math.floor(unit / UNITS_PER_SHEET)];
  return html`<${Tile} tile=${sheet && { ...sheet, index: unit % UNITS_PER_SHEET }} size=${64} />`;
}

async function strongest(job, rows, columns) {
  const values = new Float32Array(await (await fetch(job.files["values.bin"])).arrayBuffer());
  const at = values.indexOf(Math.max(...values));
  return `${Math.floor(at / columns)},${at % columns}`;
}

/** Frame of a box in pixels of the model's input. */
function Box({ box: [x0, y0, x1, y1], size: [width, height] }) {
  const style = {
    left: `${(100 * x0) / width}%`,
    top: `${(100 * y0) / height}%`,
    width: `${(100 * (x1 - x0)) / width}%`,
    height: `${(100 * (y1 - y0)) / height}%`,
  };
  return html`<span class="field-box" style=${style}></span>`;
}

/** Label and note of a unit, kept in the run folder. */
export function NoteForm({ layer, unit, onError }) {
  const [note, setNote] = useState(null);
  const [isSaved, setSaved] = useState(false);
  useEffect(() => {
    get("notes").then((all) => setNote(all[layer]?.[unit] ?? { label: "", note: "" }), onError);
  }, []);
  if (!note) return null;
  const change = (event) => {
    setSaved(false);
    setNote({ ...note, [event.target.name]: event.target.value });
  };
  const save = async (event) => {
    event.preventDefault();
    try {
      await post("notes", { layer, unit, ...note });
      setSaved(true);
    } catch (error) {
      onError(error);
    }
  };
  return html`<form class="card note-form" onSubmit=${save}>
    <h2>Your note on unit ${unit} of ${layer}</h2>
    <label>Label <input type="text" name="label" maxlength="200" value=${note.label} onInput=${change} placeholder="for example: dog faces" /></label>
    <label>Note <textarea name="note" rows="2" maxlength="4000" value=${note.note} onInput=${change}></textarea></label>
    <p class="bar-of-controls"><button type="submit">Save</button><span class="small muted" role="status">${isSaved ? "Saved in the run folder." : ""}</span></p>
  </form>`;
}
