// Colours of the points of a map, and their legend.
import { count, html, useEffect, useMemo, useState } from "./core.js";
import { labelNames } from "./names.js";

export const FEW_CLASSES = 8;
export const MAX_LEGEND = 24; // classes that have a button
const GREY = [138, 147, 165];

const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));

/** Hook: whether the page is dark. */
export function useDark() {
  const query = useMemo(() => window.matchMedia("(prefers-color-scheme: dark)"), []);
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const listener = () => setDark(query.matches);
    query.addEventListener("change", listener);
    return () => query.removeEventListener("change", listener);
  }, []);
  return isDark;
}

/** Returns the classes with points: [label, name, number of points], the most frequent first. */
export function classesOf(site, points) {
  const counts = new Map();
  for (const label of points.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .filter(([label]) => label >= 0)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([label, number]) => [label, labelNames(site, { label })[0] ?? String(label), number]);
}

/** Returns a function from a point to its colour. */
export function colouring(points, classes, palette, highlighted, passes, isDark) {
  const isFew = classes.length > 0 && classes.length <= FEW_CLASSES;
  // The eighth colour is black; on a dark page it is white.
  const colours = palette.map((hex) => (hex === "#000000" && isDark ? [255, 255, 255] : rgb(hex)));
  const order = isFew ? [...classes].sort((a, b) => a[0] - b[0]).map(([label]) => label) : [];
  const byLabel = new Map(order.map((label, place) => [label, colours[place]]));
  const solid = points.count > 10000 ? 190 : 230;
  return {
    isFew,
    byLabel,
    highlight: colours[3],
    of: (i) => {
      if (!passes[i]) return [...GREY, 26];
      const isHighlighted = highlighted !== null && points.labels[i] === highlighted;
      if (isFew) return [...(byLabel.get(points.labels[i]) ?? GREY), highlighted === null || isHighlighted ? solid : 50];
      if (highlighted === null) return [...colours[4], solid - 60];
      return isHighlighted ? [...colours[3], 255] : [...GREY, 90];
    },
  };
}

/** Buttons of the classes: with their colours, or, of more than a few, to highlight one. */
export function Legend({ classes, colours, highlighted, choose }) {
  if (classes.length === 0 || classes.length > MAX_LEGEND) return null;
  const swatch = (label) => colours.byLabel.get(label) ?? (highlighted === label ? colours.highlight : GREY);
  return html`<ul class="map-legend" aria-label="Classes">
    ${[...classes].sort((a, b) => a[0] - b[0]).map(([label, name, number]) => html`<li key=${label}>
      <button type="button" aria-pressed=${highlighted === label ? "true" : "false"} onClick=${() => choose(name, highlighted === label)}>
        <span class="swatch" style=${{ background: `rgb(${swatch(label).join(" ")})` }}></span>
        ${name} <span class="muted">${count(number)}</span>
      </button>
    </li>`)}
  </ul>`;
}
