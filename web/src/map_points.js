// Data of a map: decoding, spatial index, filters, and which thumbnails are shown.
import KDBush from "kdbush";

const KINDS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array };
const STEPS = 65535;

/** Returns the typed array of a base64 text. */
function unpack(text, kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new KINDS[kind](bytes.buffer);
}

/** Returns the points of a chunk: positions in a unit square, y upwards, and numbers per point. */
export function decodePoints(chunk) {
  const [x, y] = [unpack(chunk.x, "u2"), unpack(chunk.y, "u2")];
  const count = x.length;
  const positions = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    positions[2 * i] = x[i] / STEPS;
    positions[2 * i + 1] = y[i] / STEPS;
  }
  const index = new KDBush(count, 64, Float32Array);
  for (let i = 0; i < count; i++) index.add(positions[2 * i], positions[2 * i + 1]);
  index.finish();
  const rows = unpack(chunk.rows, "u4");
  const priority = unpack(chunk.priority, "u4");
  return {
    count,
    positions,
    index,
    rows,
    pointOfRow: new Map([...rows].map((row, point) => [row, point])),
    labels: unpack(chunk.labels, "i4"),
    predicted: chunk.predicted ? unpack(chunk.predicted, "i4") : null,
    wrong: chunk.wrong ? unpack(chunk.wrong, "u1") : null,
    order: new Uint32Array(count).map((_, i) => i).sort((a, b) => priority[b] - priority[a] || a - b),
    size: chunk.size,
  };
}

/** Returns 1 for the points that pass the filters, 0 for others. */
export function filterPoints(points, { label, verdict, found }) {
  const passes = new Uint8Array(points.count).fill(1);
  for (let i = 0; i < points.count; i++) {
    if (label !== null && points.labels[i] !== label) passes[i] = 0;
    else if (verdict === "wrong" && !points.wrong[i]) passes[i] = 0;
    else if (verdict === "right" && (points.wrong[i] || points.labels[i] < 0)) passes[i] = 0;
    else if (found && !found.has(points.rows[i])) passes[i] = 0;
  }
  return passes;
}

/** Returns the point nearest to a place within a distance, or -1. */
export function nearest(points, passes, x, y, distance) {
  let best = -1;
  let least = distance * distance;
  for (const i of points.index.within(x, y, distance)) {
    if (!passes[i]) continue;
    const gap = (points.positions[2 * i] - x) ** 2 + (points.positions[2 * i + 1] - y) ** 2;
    if (gap <= least) [best, least] = [i, gap];
  }
  return best;
}

/** Returns the points inside a box that pass, with the most central ones first. */
export function inside(points, passes, [x0, y0, x1, y1]) {
  const { positions } = points;
  return points.order.filter((i) => {
    const [x, y] = [positions[2 * i], positions[2 * i + 1]];
    return passes[i] && x >= x0 && x <= x1 && y >= y0 && y <= y1;
  });
}

/**
 * Returns at most `most` points inside a box for thumbnails: the most central one per cell of a grid
 * that is fixed in the plane, so that thumbnails stay while the map is moved.
 */
export function spread(points, passes, [x0, y0, x1, y1], cell, most) {
  const { positions, order } = points;
  const taken = new Set();
  const chosen = [];
  for (let place = 0; place < order.length && chosen.length < most; place++) {
    const i = order[place];
    const x = positions[2 * i];
    const y = positions[2 * i + 1];
    if (!passes[i] || x < x0 || x > x1 || y < y0 || y > y1) continue;
    const key = Math.floor(x / cell) * 65536 + Math.floor(y / cell);
    if (taken.has(key)) continue;
    taken.add(key);
    chosen.push(i);
  }
  return chosen;
}
