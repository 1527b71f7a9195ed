// A unit of the run beside a photo: where the photo would stand, and the unit's top patches.
import { html, loadChunk, number, percent, useLoaded } from "../core.js";
import { Patch } from "../patch.js";
import { loadUnit } from "../unit.js";

const WIDTH = 420;
const HEIGHT = 96;
const BASE = HEIGHT - 20;

/** Place of the photo's highest value among the images of the run. */
export function PlaceInRun({ place }) {
  if (!place) return null;
  if (place.problem) return html`<p class="problem">${place.problem}</p>`;
  const { value, rank, best, images, histogram } = place;
  const words = rank <= best.length
    ? `at rank ${rank} among the ${best.length} top patches of the ${images} images`
    : `below the ${best.length} top patches of the ${images} images (${number(best.at(-1))} to ${number(best[0])})`;
  return html`<div class="place-in-run">
    <p>In the run this photo (${number(value, 4)}) would be <b>${words}</b>.</p>
    ${histogram && html`<${Marked} ...${histogram} value=${value} />`}
  </div>`;
}

/** Histogram of the highest values of all images, with a mark at a value. */
function Marked({ edges, counts, below, not_above: notAbove, value }) {
  const highest = Math.log10(Math.max(...counts) + 1);
  const step = WIDTH / counts.length;
  const [low, high] = [edges[0], edges.at(-1)];
  const at = Math.min(WIDTH - 1.5, Math.max(1.5, (WIDTH * (value - low)) / (high - low || 1)));
  const range = below === notAbove ? percent(below) : `${percent(below)} to ${percent(notAbove)}`;
  const words = `${range} of the images have a lower maximum than ${number(value)}`;
  return html`<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${words}>
      ${counts.map((n, i) => {
        const height = n ? Math.max(1.5, ((BASE - 8) * Math.log10(n + 1)) / highest) : 0;
        return html`<rect key=${i} class="fires" x=${i * step + 0.5} y=${BASE - height} width=${Math.max(0.5, step - 1)} height=${height} />`;
      })}
      <line x1="0" x2=${WIDTH} y1=${BASE + 0.5} y2=${BASE + 0.5} />
      <line class="mark" x1=${at} x2=${at} y1="0" y2=${BASE} />
      <text x="0" y=${HEIGHT - 5}>${number(low)}</text>
      <text x=${WIDTH} y=${HEIGHT - 5} text-anchor="end">${number(high)}</text>
    </svg>
    <p class="note">${words} (the line). Highest value of each image; heights are logarithmic.</p>`;
}

/** The top patches of a unit, from the pages of the run. */
export function TopPatches({ site, layer, unit }) {
  const page = site?.layers?.find((l) => l.name === layer && l.pages.layer);
  const slug = page?.slug;
  const [record, error] = useLoaded(async () => {
    if (!slug) return null;
    const data = await loadChunk(`layer/${slug}/units`);
    return unit < data.count ? loadUnit(slug, unit, data) : null;
  }, [slug, unit]);
  if (error || !record?.patches.length || record.unit !== unit) return null;
  const highest = record.patches[0].value;
  return html`<section class="card" aria-labelledby="top-title">
    <h2 id="top-title">Top patches of unit ${unit} in the run</h2>
    <ol class="patches in-a-row">${record.patches.map((patch, rank) => html`<li key=${rank}>
      <${Patch} ...${{ patch, rank, mode: "crop", site, highest, guided: null, isMeant: true }} />
      ${patch.row !== null && html`<a class="small" href=${`#row=${patch.row}&mode=units&${new URLSearchParams({ layer, unit })}`}>Open here</a>`}
    </li>`)}</ol>
  </section>`;
}
