// Requests to the app.
import { root } from "../core.js";

/** The states of a job that has ended. */
export const ENDED = ["done", "failed", "cancelled"];

async function answerOf(response) {
  let value = null;
  try {
    value = await response.json();
  } catch {
    // the answer of something that is not the app
  }
  if (!response.ok) throw new Error(value?.error ?? `the server answered ${response.status}`);
  return value;
}

/** Returns the answer to a GET. */
export const get = async (path) => answerOf(await fetch(`${root}api/${path}`));

/** Returns the answer to a POST of JSON. */
export const post = async (path, value = {}) =>
  answerOf(
    await fetch(`${root}api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(value),
    }),
  );

/** Uploads a photo and returns its record. */
export async function upload(file) {
  const form = new FormData();
  form.append("photo", file, file.name || "pasted photo");
  return answerOf(await fetch(`${root}api/photos`, { method: "POST", body: form }));
}

/** Runs a short task and returns its job, with `result` and `files`. */
export async function ask(model, task, args) {
  const job = await post("answers", { model, task, arguments: args });
  if (job.status !== "done") throw new Error(job.error || `the job was ${job.status}`);
  return job;
}

/** Starts a job. `onChange` is called with it at each progress, and at its end. Returns its id. */
export async function follow(model, task, args, onChange) {
  const job = await post("jobs", { model, task, arguments: args });
  onChange(job);
  if (ENDED.includes(job.status)) return job.id; // a short job has ended, and its result is in the answer
  const source = new EventSource(`${root}api/jobs/${job.id}/events`);
  source.addEventListener("progress", (event) => onChange(JSON.parse(event.data)));
  let hasEnded = false;
  source.addEventListener("end", (event) => {
    hasEnded = true;
    onChange(JSON.parse(event.data));
  });
  source.onerror = () => {
    source.close(); // after the last event the server closes the connection: do not connect again
    if (!hasEnded) onChange({ ...job, status: "failed", error: "the connection to the server was lost" });
  };
  return job.id;
}

export const cancel = (id) => post(`jobs/${id}/cancel`);

const descriptions = new Map();

/** Returns a promise of labels, layers and input of a model; the first time loads the model. */
export function describeModel(model) {
  if (!descriptions.has(model)) {
    const loading = ask(model, "model", {}).then((job) => job.result);
    loading.catch(() => descriptions.delete(model));
    descriptions.set(model, loading);
  }
  return descriptions.get(model);
}

/** Returns the numbers of a map as a Float32Array. */
export async function loadValues(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error("the numbers of the map are no longer kept: run it again");
  return new Float32Array(await response.arrayBuffer());
}
