// One top patch: the part of a photo that a unit sees, or the whole photo with the part marked.
import { address, html, imageAddress, number, Tile } from "./core.js";

const THUMB_SIDE = 64; // of images without a saved photo, in CSS pixels

const percentOf = (value) => `${(100 * value).toFixed(3)}%`;

/** Returns the place of a photo in a square that shows a box of it, as fractions of the square. */
export function cropPlace([height, width], box) {
  const [x0, y0, x1, y1] = box ?? [0, 0, width, height];
  const side = Math.max(x1 - x0, y1 - y0);
  const left = (x0 + x1 - side) / 2;
  const top = (y0 + y1 - side) / 2;
  return { width: width / side, height: height / side, left: -left / side, top: -top / side };
}

/** Returns the place of a box in its photo, as fractions. */
export const boxPlace = ([height, width], [x0, y0, x1, y1]) => ({
  left: x0 / width, top: y0 / height, width: (x1 - x0) / width, height: (y1 - y0) / height,
});

const styleOf = (place) => Object.fromEntries(Object.entries(place).map(([name, value]) => [name, percentOf(value)]));

/** Returns the part of the square that the box covers in a crop, so that the rest stays grey. */
function clipOf(box) {
  const side = Math.max(box[2] - box[0], box[3] - box[1]);
  const x = percentOf((1 - (box[2] - box[0]) / side) / 2);
  const y = percentOf((1 - (box[3] - box[1]) / side) / 2);
  return `inset(${y} ${x})`;
}

function Picture({ patch, mode, guided, alt }) {
  const { image, box } = patch;
  if (mode === "guided" && guided) {
    const style = {
      width: percentOf(guided.columns), height: percentOf(guided.rows),
      left: percentOf(-guided.rank), top: percentOf(-guided.row),
    };
    return html`<img src=${address(guided.atlas)} alt=${`guided gradient of ${alt}`} style=${style} onError=${guided.onError} />`;
  }
  if (!image?.preview && image?.thumb) return html`<${Tile} tile=${image.thumb} size=${THUMB_SIDE} label=${alt} className="centered" />`;
  if (!image?.preview) return html`<span class="no-photo">${image ? "photo not available" : "not in this report"}</span>`;
  const isSmall = Math.max(...image.size) <= 64 ? "crisp" : "";
  if (mode === "whole" || !box) {
    return html`<span class="photo" style=${styleOf(cropPlace(image.size, null))}>
      <img class=${isSmall} src=${address(image.preview)} alt=${alt} />
      ${box && html`<span class="box" style=${styleOf(boxPlace(image.size, box))}></span>`}</span>`;
  }
  const isEnlarged = box[2] - box[0] < 40 ? "crisp" : isSmall;
  return html`<span class="window" style=${{ clipPath: clipOf(box) }}>
    <img class=${isEnlarged} src=${address(image.preview)} alt=${alt} style=${styleOf(cropPlace(image.size, box))} /></span>`;
}

export function Patch({ patch, rank, mode, site, guided, isMeant, isLoading }) {
  const { image } = patch;
  const label = image?.label === null || image?.label === undefined ? "" : site.classes[image.label];
  const name = image?.name ?? "";
  const words = label || name;
  const href = image && site.has.images ? imageAddress(image.row) : null;
  const alt = `top ${rank + 1}: ${words}, activation ${number(patch.value)}`;
  const frame = html`<span class="frame">${!isLoading && html`<${Picture} ...${{ patch, mode, guided, alt }} />`}</span>`;
  return html`<figure class=${isMeant ? "" : "faded"}>
    ${href ? html`<a href=${href} title=${name}>${frame}</a>` : html`<span title=${name}>${frame}</span>`}
    <figcaption><b>${number(patch.value)}</b> <span title=${words}>${words}</span>
      ${image?.correct === false && html`<span class="badge bad" title=${`predicted: ${site.outputs[image.predicted] ?? image.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`;
}
