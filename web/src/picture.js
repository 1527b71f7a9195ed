// Pictures of images in lists: the saved photo, or else the thumbnail; and parts of photos.
import { address, html, Tile } from "./core.js";

const CRISP_SIDE = 64; // longer side up to which pixels of a photo are shown as squares

/** Returns the class name of photos that are shown enlarged as squares. */
export const crispness = (item) => (Math.max(...item.size) <= CRISP_SIDE ? "crisp" : "");

/** A square with an image; `size` in CSS pixels. */
export function Picture({ item, size }) {
  if (!item) return html`<${Tile} size=${size} />`;
  if (!item.preview) return html`<${Tile} tile=${item.thumb} size=${size} />`;
  return html`<img class="square ${crispness(item)}" src=${address(item.preview)} alt="" loading="lazy" width=${size} height=${size} />`;
}

/** The part of a photo inside a box (x0, y0, x1, y1 in pixels of the photo). */
export function Crop({ item, box: whole, size }) {
  if (!item.preview || !whole) return null;
  const [height, width] = item.size;
  const box = [Math.max(0, whole[0]), Math.max(0, whole[1]), Math.min(width, whole[2]), Math.min(height, whole[3])];
  const scale = size / Math.max(box[2] - box[0], box[3] - box[1]);
  const style = {
    width: `${width * scale}px`,
    height: `${height * scale}px`,
    left: `${size / 2 - ((box[0] + box[2]) / 2) * scale}px`,
    top: `${size / 2 - ((box[1] + box[3]) / 2) * scale}px`,
  };
  return html`<span class="crop" style=${{ width: `${size}px`, height: `${size}px` }}>
    <img class=${scale > 3 ? "crisp" : ""} src=${address(item.preview)} alt="" style=${style} /></span>`;
}
