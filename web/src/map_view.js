// Drawing of a map: points by deck.gl (or on a 2D canvas without WebGL 2), thumbnails above them.
import { Deck, OrthographicView } from "@deck.gl/core";
import { ScatterplotLayer } from "@deck.gl/layers";

import { address } from "./core.js";
import { spread } from "./map_points.js";

const MOST_THUMBNAILS = 300;
const MOST_DISCS = 4000; // points that a 2D canvas draws as discs
const FAINT = 64; // opacity of points that are drawn below others
const SLOTS = 24; // thumbnails in a row of the cache

const SMALLEST_MARK = 2.5; // radius in pixels
const PADDING = 36; // pixels around the map when all of it is shown, more than half a thumbnail
const [LEAST_ZOOM, MOST_ZOOM] = [-1.5, 9]; // powers of two, relative to the whole map

/** Returns whether WebGL 2 is drawn by a graphics processor. In software, a 2D canvas is much faster. */
function hasHardware() {
  try {
    const context = document.createElement("canvas").getContext("webgl2");
    const info = context?.getExtension("WEBGL_debug_renderer_info");
    const renderer = info ? context.getParameter(info.UNMASKED_RENDERER_WEBGL) : "";
    return Boolean(context) && !/swiftshader|llvmpipe|software|basic render/i.test(renderer);
  } catch {
    return false;
  }
}

/**
 * Thumbnails that were drawn lately. Atlases are decoded only when a new thumbnail is cut from them:
 * drawing from the images of many atlases in every frame would decode them again and again.
 */
class Thumbnails {
  constructor(record, onLoad) {
    Object.assign(this, record, { onLoad, atlases: new Map(), slots: new Map() });
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = SLOTS * this.tile;
  }

  /** Returns [x, y] of a row in `canvas`, or null while its atlas is loading. */
  find(row) {
    if (this.slots.has(row)) {
      const slot = this.slots.get(row);
      this.slots.delete(row); // the order of the map is that of the last use
      this.slots.set(row, slot);
      return this.placeOf(slot);
    }
    const number = Math.floor(row / this.size);
    if (this.empty.includes(number)) return null; // the photos are missing
    const image = this.atlas(number);
    if (!image.complete || !image.naturalWidth) return null;
    const slot = this.freeSlot();
    const index = row % this.size;
    const [left, top] = [(index % this.columns) * this.tile, Math.floor(index / this.columns) * this.tile];
    const [x, y] = this.placeOf(slot);
    this.canvas.getContext("2d").drawImage(image, left, top, this.tile, this.tile, x, y, this.tile, this.tile);
    this.slots.set(row, slot);
    return [x, y];
  }

  placeOf(slot) {
    return [(slot % SLOTS) * this.tile, Math.floor(slot / SLOTS) * this.tile];
  }

  freeSlot() {
    if (this.slots.size < SLOTS * SLOTS) return this.slots.size;
    const [oldest, slot] = this.slots.entries().next().value;
    this.slots.delete(oldest);
    return slot;
  }

  atlas(number) {
    if (!this.atlases.has(number)) {
      const image = new Image();
      image.onload = this.onLoad;
      image.src = address(`${this.path}${String(number).padStart(3, "0")}.jpg`);
      this.atlases.set(number, image);
    }
    return this.atlases.get(number);
  }
}

export class MapView {
  /**
   * @param place element that is filled.
   * @param points of `decodePoints`.
   * @param thumbs record of the atlases.
   * @param onView called after each change of the view.
   * @param renderer "webgl" or "canvas"; chosen by the hardware if not given.
   */
  constructor(place, points, thumbs, onView, renderer) {
    Object.assign(this, { place, points, onView });
    this.thumbnails = new Thumbnails(thumbs, () => this.drawOverlay());
    this.passes = new Uint8Array(points.count).fill(1);
    this.colours = new Uint8Array(4 * points.count);
    this.showThumbs = true;
    this.current = -1;
    this.version = 0;
    this.below = this.canvas("map-points");
    this.above = this.canvas("map-thumbs");
    this.hasWebGL = renderer ? renderer === "webgl" : hasHardware();
    this.view = { x: points.size[0] / 2, y: points.size[1] / 2, zoom: 0 };
    this.measure();
    if (this.hasWebGL) {
      this.deck = new Deck({
        canvas: this.below,
        views: new OrthographicView({ flipY: false }),
        controller: false,
        width: "100%",
        height: "100%",
        viewState: this.deckView(),
        layers: [],
        getCursor: () => "inherit",
        // The element around the canvas has the focus and the keys.
        onLoad: () => this.below.removeAttribute("tabindex"),
      });
    }
    this.observer = new ResizeObserver(() => this.measure() && this.changed());
    this.observer.observe(place);
  }

  canvas(className) {
    const canvas = document.createElement("canvas");
    canvas.className = className;
    canvas.setAttribute("aria-hidden", "true");
    this.place.append(canvas);
    return canvas;
  }

  /** Reads the size of the element; returns whether it changed. */
  measure() {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (width === this.width && height === this.height) return false;
    Object.assign(this, { width, height });
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of this.hasWebGL ? [this.above] : [this.above, this.below]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    return true;
  }

  /** Pixels per unit of the map at zoom 0. */
  get base() {
    const [width, height] = this.points.size;
    const fit = Math.min((this.width - 2 * PADDING) / (width || 1), (this.height - 2 * PADDING) / (height || 1));
    return Math.max(fit, 1);
  }

  get scale() {
    return this.base * 2 ** this.view.zoom;
  }

  deckView() {
    return { target: [this.view.x, this.view.y, 0], zoom: Math.log2(this.scale), minZoom: -20, maxZoom: 40 };
  }

  /** Returns the place on the screen of a place on the map. */
  toScreen(x, y) {
    return [this.width / 2 + (x - this.view.x) * this.scale, this.height / 2 - (y - this.view.y) * this.scale];
  }

  /** Returns the place on the map of a place on the screen. */
  toMap(left, top) {
    return [this.view.x + (left - this.width / 2) / this.scale, this.view.y - (top - this.height / 2) / this.scale];
  }

  /** The visible box of the map: x0, y0, x1, y1. */
  get box() {
    const [x0, y1] = this.toMap(0, 0);
    const [x1, y0] = this.toMap(this.width, this.height);
    return [x0, y0, x1, y1];
  }

  setView(view) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, view.zoom ?? this.view.zoom));
    this.view = { ...this.view, ...view, zoom };
    this.changed();
  }

  /** Zooms about a place on the screen. */
  zoomAt(left, top, step) {
    const [x, y] = this.toMap(left, top);
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.view.zoom + step));
    const scale = this.base * 2 ** zoom;
    this.setView({ zoom, x: x - (left - this.width / 2) / scale, y: y + (top - this.height / 2) / scale });
  }

  pan(dx, dy) {
    this.setView({ x: this.view.x - dx / this.scale, y: this.view.y + dy / this.scale });
  }

  reset() {
    this.setView({ x: this.points.size[0] / 2, y: this.points.size[1] / 2, zoom: 0 });
  }

  /** Sets which points are shown, and their colours [r, g, b, a]. */
  setPoints(passes, colourOf) {
    this.passes = passes;
    for (let i = 0; i < this.points.count; i++) this.colours.set(colourOf(i), 4 * i);
    this.version += 1;
    this.changed();
  }

  setCurrent(point) {
    this.current = point;
    this.drawOverlay();
  }

  setThumbs(isShown) {
    this.showThumbs = isShown;
    this.drawOverlay();
  }

  /** Radius of a point in pixels. */
  get radius() {
    const density = Math.sqrt((this.width * this.height) / Math.max(this.points.count, 1));
    return Math.min(7, Math.max(1.6, density / 8)) * Math.min(2.2, 1 + Math.max(0, this.view.zoom) * 0.22);
  }

  changed() {
    if (this.width === 0) return;
    if (this.deck) this.deck.setProps({ viewState: this.deckView(), layers: this.layers() });
    else this.drawPoints();
    this.drawOverlay();
    this.onView();
  }

  layers() {
    const { points, colours } = this;
    if (this.drawn !== this.version) {
      this.drawn = this.version;
      this.data = {
        length: points.count,
        attributes: {
          getPosition: { value: points.positions, size: 2 },
          getFillColor: { value: colours.slice(), size: 4, normalized: true },
        },
      };
    }
    return [
      new ScatterplotLayer({ id: "points", data: this.data, radiusUnits: "pixels", getRadius: 1, radiusScale: this.radius }),
    ];
  }

  /** Draws the points without WebGL 2: discs if they are few, otherwise pixels. */
  drawPoints() {
    const context = this.below.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    if (this.points.count > MOST_DISCS) {
      const image = context.createImageData(this.below.width, this.below.height);
      const pixels = new Uint32Array(image.data.buffer);
      const colours = new Uint32Array(this.colours.buffer); // both have the byte order of the machine
      for (const isFaint of [true, false]) this.fillPixels(pixels, colours, ratio, isFaint);
      context.putImageData(image, 0, 0);
      return;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    for (let i = 0; i < this.points.count; i++) {
      const [x, y] = this.toScreen(this.points.positions[2 * i], this.points.positions[2 * i + 1]);
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
      const [r, g, b, a] = this.colours.subarray(4 * i, 4 * i + 4);
      context.fillStyle = `rgb(${r} ${g} ${b} / ${a / 255})`;
      context.beginPath();
      context.arc(x, y, this.radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** Sets the pixels of the discs of all faint or all other points. */
  fillPixels(pixels, colours, ratio, isFaint) {
    const { points, view } = this;
    const { width, height } = this.below;
    const scale = this.scale * ratio;
    const radius = this.radius * ratio;
    const reach = Math.floor(radius);
    const disc = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) if (dx * dx + dy * dy <= radius * radius) disc.push(dy * width + dx);
    }
    for (let i = 0; i < points.count; i++) {
      if (this.colours[4 * i + 3] < FAINT !== isFaint) continue;
      const x = Math.round(width / 2 + (points.positions[2 * i] - view.x) * scale);
      const y = Math.round(height / 2 - (points.positions[2 * i + 1] - view.y) * scale);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const centre = y * width + x;
      for (let k = 0; k < disc.length; k++) pixels[centre + disc[k]] = colours[i];
    }
  }

  /** The points with thumbnails in the current view. */
  chosenForThumbs(side) {
    const cell = (2 ** -Math.floor(this.view.zoom) * side * 1.5) / this.base;
    return spread(this.points, this.passes, this.box, cell, MOST_THUMBNAILS);
  }

  drawOverlay() {
    const context = this.above.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    const style = getComputedStyle(this.place);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const side = this.width < 600 ? 30 : Math.min(56, this.thumbnails.tile * 1.1);
    const shown = new Set(this.showThumbs ? this.chosenForThumbs(side) : []);
    this.drawErrors(context, style, shown);
    for (const i of shown) this.drawThumb(context, i, side, style);
    this.drawCurrent(context, style);
  }

  drawThumb(context, i, side, style) {
    const tile = this.thumbnails.find(this.points.rows[i]);
    if (!tile) return;
    const [x, y] = this.toScreen(this.points.positions[2 * i], this.points.positions[2 * i + 1]);
    const { canvas, tile: size } = this.thumbnails;
    const isWrong = this.points.wrong?.[i];
    const [r, g, b] = this.colours.subarray(4 * i, 4 * i + 3);
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    context.fillRect(x - side / 2 - 2, y - side / 2 - 2, side + 4, side + 4);
    context.drawImage(canvas, ...tile, size, size, x - side / 2, y - side / 2, side, side);
    if (!isWrong) return;
    // A corner, so that errors are not marked by colour alone.
    context.fillStyle = style.getPropertyValue("--bad");
    context.beginPath();
    context.moveTo(x + side / 2 - 14, y - side / 2 - 2);
    context.lineTo(x + side / 2 + 2, y - side / 2 - 2);
    context.lineTo(x + side / 2 + 2, y - side / 2 + 14);
    context.fill();
  }

  /** Marks errors without a thumbnail by crosses; not when points are too small to be marked. */
  drawErrors(context, style, shown) {
    const { points, radius } = this;
    if (!points.wrong || radius < SMALLEST_MARK) return;
    context.strokeStyle = style.getPropertyValue("--bad");
    context.lineWidth = 1.5;
    context.beginPath();
    for (const i of points.index.range(...this.box)) {
      if (!points.wrong[i] || !this.passes[i] || shown.has(i)) continue;
      const [x, y] = this.toScreen(points.positions[2 * i], points.positions[2 * i + 1]);
      context.moveTo(x - radius, y - radius);
      context.lineTo(x + radius, y + radius);
      context.moveTo(x + radius, y - radius);
      context.lineTo(x - radius, y + radius);
    }
    context.stroke();
  }

  /** Draws a ring around the current point. */
  drawCurrent(context, style) {
    const { points } = this;
    if (this.current < 0) return;
    const [x, y] = this.toScreen(points.positions[2 * this.current], points.positions[2 * this.current + 1]);
    context.lineWidth = 3;
    for (const [colour, grow] of [["--card", 9], ["--accent", 6]]) {
      context.strokeStyle = style.getPropertyValue(colour);
      context.beginPath();
      context.arc(x, y, this.radius + grow, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
