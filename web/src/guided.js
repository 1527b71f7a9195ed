// The guided gradients of the top patches of a unit: those that the run holds, or that the app computes.
import { CopyButton, html, useEffect, useState } from "./core.js";
import { cancel, ENDED, follow, get } from "./live/api.js";

const KEPT = 100; // units whose jobs the page remembers; the server keeps their pictures as well
const ATTEMPTS = 3; // to load a picture

const kept = new Map(); // key of the unit -> job that is done
let fitting = 0; // the model that has last been found to be that of the run

/** Calls a function with the job at each change, and returns a promise of the job that has ended. */
const run = (model, args, onChange) =>
  new Promise((resolve, reject) => {
    const look = (job) => (ENDED.includes(job.status) ? resolve(job) : onChange(job));
    follow(model, "guided_patches", args, look).catch(reject);
  });

/** Computes the gradients with the model that has the weights of the run. */
async function compute(args, onChange) {
  const { models } = await get("state");
  const reasons = [];
  for (let step = 0; step < models.length; step++) {
    const model = (fitting + step) % models.length;
    const job = await run(model, args, onChange);
    if (job.status !== "done" || !job.result.refused) {
      fitting = model;
      return job;
    }
    reasons.push(job.result.refused);
  }
  return { status: "failed", error: [...new Set(reasons)].join("; ") };
}

function keep(key, job) {
  kept.delete(key);
  kept.set(key, job);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/**
 * Hook: how to show the guided gradients of a unit.
 *
 * Returns `place`, the picture that holds them (null while there is none); `job`, the computation by the app,
 * if there is one; and `restart`, which computes them again.
 */
export function useGuided({ layer, unit, record, site, isWanted }) {
  const key = `${unit} ${layer.name}`;
  const saved = layer.guided && record && record.guided !== null ? placeOf(layer.guided, record.guided) : null;
  const [current, setCurrent] = useState({});
  const [attempt, setAttempt] = useState(0);
  const isComputed = Boolean(site.live) && isWanted && !saved;
  useEffect(() => {
    if (!isComputed || kept.has(key)) return;
    let isCurrent = true;
    let last = null;
    const dropIfWaiting = () => last?.status === "queued" && last.id && cancel(last.id).catch(() => {});
    const show = (job) => {
      last = job;
      if (job.status === "done") keep(key, job);
      if (isCurrent) setCurrent({ key, job });
      else dropIfWaiting();
    };
    compute({ layer: layer.name, unit }, show).then(show, (error) => show({ status: "failed", error: error.message }));
    return () => {
      isCurrent = false;
      dropIfWaiting(); // of the units that are passed by, only the one in progress is computed
    };
  }, [key, isComputed, attempt]);
  const restart = () => {
    kept.delete(key);
    setCurrent({});
    setAttempt(attempt + 1);
  };
  if (saved || !isComputed) return { place: saved, job: null, restart };
  const job = kept.get(key) ?? (current.key === key ? current.job : { status: "queued", progress: {} });
  const computed = job.status === "done" ? { ...job.result, row: 0, atlas: `api/jobs/${job.id}/files/guided.png`, onError: () => kept.has(key) && attempt < ATTEMPTS && restart() } : null;
  return { place: computed, job, restart };
}

/** What stands above the patches while there are no guided gradients: progress, a reason, or how to get them. */
export function GuidedStatus({ guided: { place, job, restart }, site, layer, shell }) {
  if (place) return null;
  if (!site.live) {
    const line = layer.draws_guided ? shell : layer.serve;
    return html`<div class="source guided-status">
      <p class="note">This report has no guided gradients of this unit. This line ${layer.draws_guided ? "draws them" : "opens the run in an app that computes them"}:</p>
      <div class="lines"><code>${line}</code><${CopyButton} text=${line}>Copy<//></div></div>`;
  }
  if (!job) return null;
  if (!ENDED.includes(job.status)) {
    const { description, done, total } = job.progress ?? {};
    const words = job.status === "running" ? description || "starting" : "waiting for the model";
    return html`<div class="guided-status" role="status">
      ${total ? html`<progress max=${total} value=${done} aria-label="Progress"></progress>` : html`<progress aria-label="Progress"></progress>`}
      <p class="bar-of-controls"><span class="small muted">Guided gradients: ${words}</span>
        ${job.id && html`<button type="button" class="quiet" onClick=${() => cancel(job.id).catch(() => {})}>Cancel</button>`}</p></div>`;
  }
  return html`<div class="guided-status">
    ${job.status === "failed" ? html`<p class="problem" role="alert">No guided gradients: ${job.error}</p>` : html`<p class="note" role="status">Cancelled.</p>`}
    <button type="button" onClick=${restart}>${job.status === "failed" ? "Try again" : "Compute them"}</button></div>`;
}

/** Returns the picture with a row of the guided gradients of a layer, and the row in this picture. */
function placeOf({ sheets, block, ...layout }, row) {
  return { ...layout, ...sheets[Math.floor(row / block)], row: row % block };
}

/** How to read the guided gradients that are shown. */
export function GuidedNotes({ guided: { place } }) {
  if (!place) return null;
  return html`<p class="note">Guided gradients are sharp, but depend little on the weights: they show structure that can
    drive the unit, not why it fires. ${(place.notes ?? []).join(" ")}</p>`;
}
