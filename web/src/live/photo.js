// Choosing a photo: a file, or an image of the run; and what the model says about it.
import { html, itemOf, loadChunk, number, percent, Tile, useEffect, useMemo, useRef, useState } from "../core.js";
import { ask, post, upload } from "./api.js";

const SHOWN = 60;

/** Card with the photo, and ways to choose another one. */
export function PhotoCard({ photo, site, pages, onOpen, onError }) {
  const input = useRef();
  const [isOver, setOver] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const open = async (opening) => {
    setBusy(true);
    try {
      onOpen(await opening);
      onError(null);
    } catch (error) {
      onError(error);
    }
    setBusy(false);
  };
  const take = (files) => {
    const file = [...(files ?? [])].find((f) => f.size);
    if (file) open(upload(file));
  };
  useEffect(() => {
    const onPaste = (event) => event.clipboardData?.files?.length && take(event.clipboardData.files);
    document.addEventListener("paste", onPaste);
    return () => document.removeEventListener("paste", onPaste);
  }, []);
  const drag = (event, state) => {
    event.preventDefault();
    setOver(state);
  };
  return html`<section class="card" aria-label="Photo">
    <div
      class="drop ${isOver ? "over" : ""} ${photo ? "" : "empty"}"
      onDragOver=${(e) => drag(e, true)}
      onDragLeave=${(e) => drag(e, false)}
      onDrop=${(e) => {
        drag(e, false);
        take(e.dataTransfer.files);
      }}
    >
      ${photo
        ? html`<img src=${`api/photos/${photo.id}.jpg`} alt=${photo.name} class=${photo.width <= 64 ? "crisp" : ""} />`
        : html`<p><b>Drop a photo here</b><br /><span class="muted">or paste it, or choose one below</span></p>`}
    </div>
    ${photo && html`<p class="photo-name"><b>${photo.name}</b> <span class="muted">${photo.width} × ${photo.height}</span></p>`}
    <div class="bar-of-controls">
      <button type="button" onClick=${() => input.current.click()} disabled=${isBusy}>
        ${isBusy ? "Opening…" : "Choose a file"}
      </button>
      <input ref=${input} type="file" accept="image/*" class="offscreen" aria-label="Photo file" tabindex="-1"
        onChange=${(e) => { take(e.target.files); e.target.value = ""; }} />
    </div>
    <${Picker} site=${site} pages=${pages} chosen=${photo?.row} onChoose=${(row) => open(post("rows", { row }))} />
  </section>`;
}

/** Images of the run with a search field. */
function Picker({ site, pages, chosen, onChoose }) {
  const [blocks, setBlocks] = useState([]);
  const [query, setQuery] = useState("");
  const count = site?.count ?? 0;
  useEffect(() => {
    if (!count) return;
    loadChunk("items-000").then((first) => setBlocks([first]), () => {});
  }, [count]);
  const items = useMemo(
    () => blocks.flatMap((block) => block.names.map((_, i) => itemOf(block, block.start + i))),
    [blocks],
  );
  const more = async () => {
    const next = await loadChunk(`items-${String(blocks.length).padStart(3, "0")}`);
    setBlocks([...blocks, next]);
  };
  if (pages && !count)
    return html`<p class="muted small" role="status">The images of the run appear here when its pages have been written.
      ${pages.progress.total ? ` ${Math.round((100 * pages.progress.done) / pages.progress.total)} %` : ""}</p>`;
  if (!count) return null;
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (item) => `${item.name} ${site.classes[item.label] ?? ""} ${site.outputs[item.predicted] ?? ""}`.toLowerCase();
  const matching = items.filter((item) => words.every((word) => text(item).includes(word)));
  return html`<div class="picker">
    <input type="search" value=${query} placeholder=${`Search ${count} images of the run`} aria-label="Search the images of the run"
      onInput=${(e) => setQuery(e.target.value)} />
    <div class="thumbs" tabindex="-1">
      ${matching.slice(0, SHOWN).map((item) => html`<button type="button" key=${item.row} aria-pressed=${item.row === chosen}
          title=${item.name} aria-label=${item.name} onClick=${() => onChoose(item.row)}><${Tile} tile=${item.thumb} size=${52} /></button>`)}
    </div>
    <p class="small muted">${matching.length} of ${items.length}${matching.length > SHOWN ? `, the first ${SHOWN} shown` : ""}
      ${items.length < count && html` <button type="button" class="quiet" onClick=${more}>Load more</button>`}</p>
  </div>`;
}

/** Hook: the most probable classes of a photo, and the model's view of it. */
export function usePrediction(model, photo, onError) {
  const [job, setJob] = useState(null);
  useEffect(() => {
    let isCurrent = true;
    setJob(null);
    if (photo)
      ask(model, "predict", { photo: photo.id }).then(
        (answer) => isCurrent && setJob(answer),
        (error) => isCurrent && onError(error),
      );
    return () => (isCurrent = false);
  }, [model, photo?.id]);
  return job;
}

/** List of classes with bars; a click chooses one as the target. */
export function Classes({ classes, chosen, onChoose, caption }) {
  return html`<ol class="classes" aria-label=${caption}>
    ${classes.map((c) => {
      const share = c.probability ?? 0;
      return html`<li key=${c.index}>
        <button type="button" aria-pressed=${chosen === c.label} disabled=${!onChoose} onClick=${() => onChoose?.(c.label)}>
          <span class="name">${c.label}</span>
          <span class="value">${c.probability === null ? number(c.score) : percent(share)}</span>
          <span class="bar" aria-hidden="true"><i style=${{ width: `${100 * share}%` }}></i></span>
        </button>
      </li>`;
    })}
  </ol>`;
}
