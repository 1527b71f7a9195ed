// The page of an image: photo, predictions, maps, neighbours and units.
import {
  address, CopyButton, count, html, imageAddress, loadChunk, loadItem, loadSite, markReady, number, percent, Problem,
  render, setState, useAddress, useEffect, useKeys, useLoaded,
} from "./core.js";
import { Maps } from "./image_maps.js";
import { isSamePrediction, labelNames, ofFirstRun, outputName, siteOfSecond } from "./names.js";
import { Crop, crispness, Picture } from "./picture.js";

const WHOLE_SHARE = 0.8; // of a photo, from which a patch is not shown as a part of it

const imagesAddress = (state) => `images.html#${new URLSearchParams(state)}`;

/** The photo as large as the page allows. */
function Photo({ item }) {
  if (!item.preview) return html`<p class="photo-missing">The photo is not in this report.</p>`;
  return html`<img class="photo-large ${crispness(item)}" src=${address(item.preview)} alt=${item.name}
    width=${item.size[1]} height=${item.size[0]} />`;
}

function Verdict({ item }) {
  if (item.correct === true) return html`<span class="badge good">✓ right prediction</span>`;
  if (item.correct === false) return html`<span class="badge bad">✗ wrong prediction</span>`;
  return null;
}

/** The best classes with their probabilities. */
function Predictions({ site, item, predictions, index, isLinked = true }) {
  const labels = labelNames(site, item);
  const names = predictions.names[index];
  const rank = predictions.rank?.[index] ?? -1;
  const isListed = names.some((name) => labels.includes(name));
  const ofLabel = predictions.label_probability?.[index];
  return html`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${names.map((name, place) => {
        const share = predictions.probabilities[index][place];
        return html`<tr class=${labels.includes(name) ? "is-label" : ""}>
          <th scope="row">${isLinked ? html`<a href=${imagesAddress({ predicted: name })}>${name}</a>` : name}
            ${labels.includes(name) && html` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{ width: `${100 * (share ?? 0)}%` }}></span></span></td>
          <td class="number">${percent(share)}</td>
        </tr>`;
      })}
      ${!isListed && rank >= 0 && html`<tr class="is-label">
        <th scope="row"><a href=${imagesAddress({ class: labels[0] })}>${labels.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${rank + 1}</span></th>
        <td><span class="probability"><span style=${{ width: `${100 * (ofLabel ?? 0)}%` }}></span></span></td>
        <td class="number">${percent(ofLabel)}</td>
      </tr>`}
    </tbody>
  </table>`;
}

/** What the second run predicts for the image, and whether that is the same class. */
function SecondPredictions({ site, item, details, index }) {
  const { run, model } = site.second;
  const { predictions, has } = details.second;
  const isSame = isSamePrediction(site, item);
  return html`<section class="card" aria-labelledby="second-title">
    <div class="head"><h2 id="second-title">Predictions in ${run}</h2><span class="sub">${model}</span>
      <${Verdict} item=${item.second} /></div>
    ${!has[index] ? html`<p class="note">This run does not have the image.</p>`
      : !predictions ? html`<p class="note">This run has no predictions.</p>`
        : html`${isSame !== null && html`<p class="note">${isSame ? "The same class as" : "Another class than"} in ${site.run}.</p>`}
          <${Predictions} site=${siteOfSecond(site)} item=${item} predictions=${predictions} index=${index} isLinked=${false} />`}
  </section>`;
}

/** A row of similar images. */
function Similar({ site, item, title, rows, distances, unit }) {
  const labels = labelNames(site, item);
  const entries = rows.map((row, place) => [row, distances[place]]).filter(([row]) => row >= 0);
  return html`<div class="near-row">
    <h3>${title}</h3>
    <ol class="thumbs">
      ${entries.map(([row, distance]) => html`<${Neighbour} key=${row} site=${site} row=${row} distance=${distance}
        unit=${unit} labels=${labels} />`)}
    </ol>
  </div>`;
}

function Neighbour({ site, row, distance, unit, labels }) {
  const [other] = useLoaded(() => loadItem(row), [row]);
  const names = other ? labelNames(site, other) : [];
  const isSame = labels.length > 0 && names[0] === labels[0];
  return html`<li>
    <a class="image-item small" href=${imageAddress(row)}>
      <${Picture} item=${other} size=${88} />
      <span class="line">${names[0] ?? other?.name ?? ""}${isSame && html` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${unit}>${number(distance)}</span>
    </a>
  </li>`;
}

/** Neighbours in the features of a layer and by pixels. */
function Neighbours({ site, item, neighbors, index, second }) {
  const layers = site.layers.filter((layer) => neighbors[layer.slug]);
  const state = useAddress();
  if (layers.length === 0) return null;
  const layer = layers.find(({ slug }) => slug === state.near) ?? layers.at(-1);
  const part = neighbors[layer.slug];
  const ofSecond = second?.has[index] && second.neighbors[layer.slug];
  const isEmpty = part.items[index].every((row) => row < 0);
  return html`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${layers.length > 1 && html`<label class="field">Features of
        <select value=${layer.slug} onChange=${(event) => setState({ near: event.target.value }, { replace: true })}>
          ${layers.map(({ slug, name }) => html`<option value=${slug}>${name}</option>`)}
        </select></label>`}
    </div>
    ${isEmpty
      ? html`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`
      : html`<${Similar} site=${site} item=${item} title=${`in the features of ${layer.name} (${part.unit})`}
          rows=${part.items[index]} distances=${part.distances[index]} unit=${part.unit} />`}
    ${ofSecond && html`<${Similar} site=${site} item=${item} title=${`in the features of ${layer.name} in ${site.second.run} (${ofSecond.unit})`}
      rows=${ofSecond.items[index]} distances=${ofSecond.distances[index]} unit=${ofSecond.unit} />`}
    ${part.pixel_items && html`<${Similar} site=${site} item=${item} title="by pixels, for comparison (L2 distance)"
      rows=${part.pixel_items[index]} distances=${part.pixel_distances[index]} unit="L2 distance" />`}
  </section>`;
}

/** Returns whether a patch shows nearly the whole photo. */
function isWhole({ size: [height, width] }, [x0, y0, x1, y1]) {
  const seen = (Math.min(width, x1) - Math.max(0, x0)) * (Math.min(height, y1) - Math.max(0, y0));
  return seen > WHOLE_SHARE * width * height;
}

/** The best patch of a unit in another image than that of the page. */
function OtherPatch({ site, row, box }) {
  const [other] = useLoaded(() => loadItem(row), [row]);
  if (!other) return html`<span class="crop empty"></span>`;
  const name = labelNames(site, other)[0] ?? other.name;
  return html`<span class="other-patch" title=${other.name}>${box && other.preview
    ? html`<${Crop} item=${other} box=${box} size=${76} />`
    : html`<${Picture} item=${other} size=${76} />`}<span class="line muted small">${name}</span></span>`;
}

/** How maps of the image are computed: in the workbench, or with commands to copy. */
function MapsHint({ site, row, file, commands }) {
  if (site.live) {
    return html`<section class="card" aria-labelledby="hint-title"><h2 id="hint-title">Which pixels matter</h2>
      <p><a href=${`live.html#${new URLSearchParams({ row })}`}>Explain this image in the workbench</a></p></section>`;
  }
  const [explain, report, serve] = commands;
  const lines = [explain.replace("PHOTO", () => file), report];
  return html`<section class="card source" aria-labelledby="hint-title">
    <h2 id="hint-title">Which pixels matter</h2>
    <p class="note">This report has no maps of this image. ${file === "PHOTO" && html`Save it as a file PHOTO. `}These
      commands compute maps and add them to the report:</p>
    <div class="lines">${lines.map((line) => html`<code>${line}</code><${CopyButton} text=${line}>Copy<//>`)}</div>
    <p class="note">Or explain images in the workbench of the browser:</p>
    <div class="lines"><code>${serve}</code><${CopyButton} text=${serve}>Copy<//></div>
  </section>`;
}

/** Units that have the image among their top images. */
function Units({ site, item, units, index, run = null, id = "units-title" }) {
  const layers = site.layers.filter((layer) => units[layer.slug]);
  const state = useAddress();
  if (layers.length === 0) return null;
  const layer = layers.find(({ slug }) => slug === state.layer) ?? layers.at(-1);
  const entries = units[layer.slug][index];
  return html`<section class="card" aria-labelledby=${id}>
    <div class="head"><h2 id=${id}>Units that it activates most${run && ` in ${run}`}</h2>
      ${layers.length > 1 && html`<label class="field">Layer
        <select value=${layer.slug} onChange=${(event) => setState({ layer: event.target.value }, { replace: true })}>
          ${layers.map(({ slug, name }) => html`<option value=${slug}>${name} (${units[slug][index].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${entries.length === 0
      ? `This image is among the top images of no unit of ${layer.name}.`
      : `Units of ${layer.name} that have this image among their top images, the highest ranks first. ${entries.some(([, , , box]) => box && !isWhole(item, box))
        ? "Left: what the unit sees of this image; right: its best patch in another one."
        : "Each picture is the unit's best patch in another image."}`}</p>
    <ol class="unit-cards">
      ${entries.map(([unit, rank, value, box, other, otherBox]) => html`<li key=${`${unit}-${rank}`}>
        <a href=${`${address(layer.pages.layer)}#unit=${unit}`}>
          <span class="pair">${box && !isWhole(item, box) && html`<${Crop} item=${item} box=${box} size=${76} />`}
            ${other !== null && html`<${OtherPatch} key=${other} site=${site} row=${other} box=${otherBox} />`}</span>
          <strong>unit ${unit}</strong>
          <span class="muted small">rank ${rank + 1} · ${number(value)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`;
}

function Image({ site, row, block, commands }) {
  const chunkName = `images/${String(Math.floor(row / block)).padStart(4, "0")}`;
  const [loaded, error] = useLoaded(
    async () => [await loadItem(row), await loadChunk(chunkName), row],
    [row],
  );
  const go = (step) => {
    const next = row + step;
    if (next >= 0 && next < site.count) setState({ id: next });
  };
  useKeys({ ArrowLeft: () => go(-1), ArrowRight: () => go(1) });
  useEffect(() => {
    if (loaded || error) markReady();
    if (loaded) document.title = `${loaded[0].name} – ${site.title}`;
  }, [loaded, error]);
  if (error) return html`<${Problem} error=${error} />`;
  if (!loaded) return html`<p class="muted">Loading …</p>`;
  const [item, details, shownRow] = loaded;
  const index = shownRow - details.start;
  const labels = labelNames(site, item);
  const maps = site.layers.filter((layer) => layer.pages.map);
  return html`<div class="head">
      <h1>${item.name}</h1>
      <${Verdict} item=${item} />
      <span class="sub">image ${count(shownRow + 1)} of ${count(site.count)}</span>
      <span class="steps">
        <button type="button" disabled=${row === 0} onClick=${() => go(-1)}>← previous</button>
        <button type="button" disabled=${row === site.count - 1} onClick=${() => go(1)}>next →</button>
        <${CopyButton} text=${() => location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${Photo} item=${item} /></div>
        <div class="stack"><section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions${ofFirstRun(site)}</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${labels.length
              ? html`<a href=${imagesAddress({ class: labels[0] })}>${labels.join(" · ")}</a>`
              : html`<span class="muted">none</span>`}</dd></div>
            ${item.predicted !== null && html`<div><dt>predicted</dt><dd>
              <a href=${imagesAddress({ predicted: outputName(site, item.predicted) })}>${outputName(site, item.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${item.size[1]} × ${item.size[0]}</dd></div>
          </dl>
          ${details.predictions
            ? html`<${Predictions} site=${site} item=${item} predictions=${details.predictions} index=${index} />`
            : html`<p class="note">The run has no predictions.</p>`}
          ${maps.length > 0 && html`<p class="links">${maps.map((layer) => html`<a
            href=${`${address(layer.pages.map)}#id=${shownRow}`}>Place on the map of ${layer.name}</a> `)}</p>`}
        </section>
        ${details.second && html`<${SecondPredictions} site=${site} item=${item} details=${details} index=${index} />`}</div>
      </div>
      ${details.maps?.[index] ? html`<${Maps} name=${details.maps[index]} />`
        : html`<${MapsHint} site=${site} row=${shownRow} file=${details.files[index]} commands=${commands} />`}
      <${Neighbours} site=${site} item=${item} neighbors=${details.neighbors} index=${index} second=${details.second} />
      <${Units} site=${site} item=${item} units=${details.units} index=${index} run=${site.second && site.run} />
      ${details.second?.has[index] && html`<${Units} site=${site} item=${item} units=${details.second.units} index=${index} run=${site.second.run} id="second-units-title" />`}
    </div>`;
}

function Page({ site, block, commands }) {
  const { id } = useAddress();
  const row = Number(id ?? 0);
  const isKnown = Number.isInteger(row) && row >= 0 && row < site.count;
  useEffect(() => {
    if (!isKnown) markReady();
  }, [isKnown]);
  if (!isKnown) return html`<p class="problem" role="alert">This report has images 0 to ${site.count - 1}; the address asks for “${id}”.</p>`;
  return html`<${Image} site=${site} row=${row} block=${block} commands=${commands} />`;
}

export async function startImage() {
  const place = document.getElementById("image");
  try {
    render(html`<${Page} site=${await loadSite()} block=${Number(place.dataset.block)}
      commands=${JSON.parse(place.dataset.commands)} />`, place);
  } catch (error) {
    render(html`<${Problem} error=${error} />`, place);
    markReady();
  }
}
