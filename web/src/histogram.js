// The histogram of a unit's values: bins of half an octave, counts on a logarithmic axis.
import { count, html, number } from "./core.js";

const WIDTH = 420;
const HEIGHT = 130;
const BASE = HEIGHT - 22;
const MAX_TICKS = 6;

export function Histogram({ edges, counts }) {
  const total = counts.reduce((sum, value) => sum + value, 0);
  const highest = Math.log10(Math.max(...counts) + 1);
  const step = WIDTH / counts.length;
  const every = Math.ceil(edges.length / MAX_TICKS);
  const bars = counts.map((value, i) => {
    const height = value ? Math.max(1.5, ((BASE - 6) * Math.log10(value + 1)) / highest) : 0;
    const isZero = edges[i] === 0 && edges[i + 1] === 0;
    const range = isZero ? "exactly 0" : `${number(edges[i])} to ${number(edges[i + 1])}`;
    const fires = edges[i + 1] > 0;
    return html`<rect key=${i} class=${fires ? "fires" : ""} x=${i * step + 0.5} y=${BASE - height}
      width=${Math.max(0.5, step - 1)} height=${height}><title>${range}: ${count(value)} (${((100 * value) / total).toPrecision(2)} %)</title></rect>`;
  });
  const ticks = edges.map((edge, i) => [edge, i]).filter(([, i]) => i % every === 0);
  const firing = counts.reduce((sum, value, i) => sum + (edges[i + 1] > 0 ? value : 0), 0);
  const words = `${count(total)} values from ${number(edges[0])} to ${number(edges.at(-1))}, ${((100 * firing) / total).toPrecision(3)} % above 0`;
  return html`<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${words}>
      ${bars}
      <line x1="0" x2=${WIDTH} y1=${BASE + 0.5} y2=${BASE + 0.5} />
      ${ticks.map(([edge, i]) => html`<text key=${i} x=${i * step} y=${HEIGHT - 6} text-anchor=${i === 0 ? "start" : i === edges.length - 1 ? "end" : "middle"}>${number(edge, 2)}</text>`)}
    </svg>
    <p class="note">${words} (strong colour). Two bins per doubling; heights are logarithmic.</p>`;
}

const BANDS = 5; // ticks of a linear axis

/** The number of images by the highest value of a unit in them, with the places of the examples. */
export function PeakHistogram({ low, high, counts, strata }) {
  const total = counts.reduce((sum, value) => sum + value, 0);
  const highest = Math.log10(Math.max(...counts) + 1);
  const step = WIDTH / counts.length;
  const edge = (i) => low + ((high - low) * i) / counts.length;
  const bars = counts.map((value, i) => {
    if (!value) return null;
    const height = Math.max(1.5, ((BASE - 18) * Math.log10(value + 1)) / highest);
    return html`<rect key=${i} class=${edge(i + 1) > 0 ? "fires" : ""} x=${i * step + 0.5} y=${BASE - height}
      width=${step - 1} height=${height}><title>${number(edge(i))} to ${number(edge(i + 1))}: ${count(value)} (${((100 * value) / total).toPrecision(2)} %)</title></rect>`;
  });
  const ticks = low === high ? [0] : [...Array(BANDS + 1).keys()];
  const place = (value) => (high > low ? ((value - low) / (high - low)) * WIDTH : step / 2);
  const marks = strata.map(({ share, examples }) => ({ share, at: place(examples[Math.floor(examples.length / 2)].value) }));
  const words = `The highest values of ${count(total)} images, from ${number(low)} to ${number(high)}`;
  return html`<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${words}>
      ${bars}
      ${marks.map(({ share, at }) => html`<line key=${share} class="mark" x1=${at} x2=${at} y1="4" y2=${BASE}><title>${stratumName(share)}</title></line>`)}
      <line x1="0" x2=${WIDTH} y1=${BASE + 0.5} y2=${BASE + 0.5} />
      ${ticks.map((tick) => html`<text key=${tick} x=${(tick * WIDTH) / BANDS} y=${HEIGHT - 6}
        text-anchor=${tick === 0 ? "start" : tick === BANDS ? "end" : "middle"}>${number(low + ((high - low) * tick) / BANDS, 2)}</text>`)}
    </svg>`;
}

/** Returns the name of a stratum: the share of images with values at least as high. */
export function stratumName(share) {
  if (share === 1) return "lowest";
  return share === 0.5 ? "median" : `top ${Number((100 * share).toPrecision(3))} %`;
}
