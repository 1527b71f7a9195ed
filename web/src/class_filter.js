// Classes that a text means, and how much more units respond to them than to all images.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const isPattern = (term) => /[*?]/.test(term);

/** Returns the names of a class: that of the data set and that of the model. */
const namesOf = (site, label) =>
  [site.classes[label], site.outputs[site.class_outputs?.[label]]].filter((name) => typeof name === "string");

/** Returns the terms of a text: classes separated by commas, unless a class has the text as its name. */
function termsOf(site, text) {
  const whole = text.trim();
  if (site.classes.some((name) => name.toLowerCase() === whole.toLowerCase())) return [whole];
  return whole.split(",").map((term) => term.trim()).filter(Boolean);
}

/** Returns [labels, kind] for a term: whole names, patterns and outputs come before words and parts of names. */
function labelsOf(site, labels, term) {
  const having = (test) => labels.filter((label) => namesOf(site, label).some(test));
  const low = term.toLowerCase();
  const exact = having((name) => name.toLowerCase() === low);
  if (exact.length) return [exact, "name"];
  if (isPattern(term)) {
    const letters = [...term].map((c) => ({ "*": ".*", "?": "." })[c] ?? escaped(c));
    const pattern = new RegExp(`^${letters.join("")}$`, "isu");
    return [having((name) => pattern.test(name)), "pattern"];
  }
  const range = term.match(/^(\d+)-(\d+)$/);
  if (range) {
    const [, first, last] = range.map(Number);
    return [labels.filter((label) => {
      const output = site.class_outputs?.[label] ?? -1;
      return output >= first && output <= last;
    }), "outputs"];
  }
  if (/^\d+$/.test(term)) return [[], "number"];
  const word = new RegExp(`(^|[^\\p{L}\\p{N}])${escaped(term)}($|[^\\p{L}\\p{N}])`, "iu");
  const words = having((name) => word.test(name));
  if (words.length) return [words, "word"];
  return [having((name) => name.toLowerCase().includes(low)), "part"];
}

/**
 * Returns the classes with images that a text means: their labels, the terms that are only parts of
 * names, the terms that mean no class, and the same choice for `run.units` in Python.
 */
export function meantClasses(site, labels, text) {
  const meant = { labels: new Set(), parts: [], unknown: [], patterns: [] };
  for (const term of termsOf(site, text ?? "")) {
    const [matching, kind] = labelsOf(site, labels, term);
    for (const label of matching) meant.labels.add(label);
    if (kind === "part" && matching.length) meant.parts.push(term);
    if (!matching.length && kind !== "number") meant.unknown.push(term);
    if (kind === "pattern" || kind === "outputs") meant.patterns.push(term);
    else meant.patterns.push(...matching.map((label) => site.classes[label].replace(/[*?[]/g, "[$&]")));
  }
  return meant;
}

/** Returns texts that complete the last term: classes that have it as a word come first. */
export function completions(site, labels, text) {
  const last = text.slice(text.lastIndexOf(",") + 1).trim();
  const head = text.slice(0, text.lastIndexOf(",") + 1);
  const names = labels.map((label) => site.classes[label]);
  const word = new RegExp(`(^|[^\\p{L}\\p{N}])${escaped(last)}`, "iu");
  const order = (name) => (last && word.test(name) ? 0 : 1);
  names.sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
  return names.map((name) => (head ? `${head} ${name}` : name));
}

/** Lifts of classes for all units, from the chunk `classes` of a layer. */
export class Lifts {
  constructor(chunk, count) {
    this.count = count;
    this.least = chunk.least;
    this.images = new Map(chunk.classes.map((label, row) => [label, chunk.images[row]]));
    const bytes = bytesOf(chunk.lifts);
    const levels = new Uint16Array(bytes.buffer, 0, bytes.length / 2);
    const lift = (level) => (level ? 2 ** ((level - 1) / chunk.steps - chunk.doublings) : 0);
    this.rows = new Map(chunk.classes.map((label, row) =>
      [label, () => Float64Array.from(levels.subarray(row * count, (row + 1) * count), lift)]));
  }

  /** Returns lift and best by unit, the lift of all images of some classes and the class with the highest. */
  of(labels) {
    const lift = new Float64Array(this.count);
    const highest = new Float64Array(this.count).fill(-1);
    const best = new Array(this.count).fill(null);
    let total = 0;
    for (const label of labels) {
      const [row, images] = [this.rows.get(label)(), this.images.get(label)];
      total += images;
      row.forEach((value, unit) => {
        lift[unit] += images * value;
        if (value > highest[unit]) [highest[unit], best[unit]] = [value, label];
      });
    }
    return { lift: lift.map((sum) => sum / total), best, images: total, least: this.least };
  }
}
