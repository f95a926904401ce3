/**
 * The map: a town's streets, coloured by density, on a canvas.
 *
 * Draws at most once per animation frame, and streets of one colour in one stroke: O(streets) for a frame.
 */

import { LEVELS, level, scale } from "./colours.js";
import { layOut, nearest } from "./layout.js";
import { Sheet } from "./sheet.js";

/** Streets narrower than this, in pixels, show no signals: they would hide the streets. */
const SIGNALS_FROM = 2.4;

/** @typedef {{mark: string, go: string, stop: string, paper: string}} Inks */

/** Shows one town and its latest sample. */
export class TownMap {
  #canvas;
  #sheet;
  #on;
  /** @type {import("./town.js").Town | null} */ #town = null;
  /** @type {import("./town.js").Sample | null} */ #sample = null;
  /** @type {import("./layout.js").Layout | null} */ #layout = null;
  /** @type {string[]} */ #colours = [];
  /** @type {Inks} */ #inks = { mark: "", go: "", stop: "", paper: "" };
  #pointed = -1;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{pointed: (street: number, x: number, y: number) => void, placed: (signals: boolean) => void}} on
   *   pointed: at a street, by its place in the list, -1: none; x, y: where to say something about it, in
   *   pixels of the canvas. placed: at a size that has room for signals, or not
   */
  constructor(canvas, on) {
    this.#canvas = canvas;
    this.#on = on;
    this.#sheet = new Sheet(canvas, { placed: () => this.#place(), paint: (pen) => this.#paint(pen) });
    canvas.addEventListener("pointermove", (event) => this.#pointAt(event));
    canvas.addEventListener("pointerdown", (event) => this.#pointAt(event));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#point(-1));
    canvas.addEventListener("blur", () => this.#point(-1));
    canvas.addEventListener("keydown", (event) => this.#step(event));
  }

  /** @param {import("./town.js").Town | null} town */
  show(town) {
    this.#town = town;
    this.#sample = null;
    this.#point(-1);
    this.#place();
  }

  /** @param {import("./town.js").Sample} sample of the town being shown */
  update(sample) {
    this.#sample = sample;
    this.#sheet.draw();
    if (this.#pointed >= 0) this.#tell();
  }

  /** Take the theme's colours; call again when it changes. @param {"light" | "dark"} theme */
  dress(theme) {
    const style = getComputedStyle(this.#canvas);
    const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    this.#colours = scale(theme);
    this.#inks = {
      mark: ink("--ink"),
      go: ink("--go"),
      stop: ink("--stop"),
      paper: ink("--paper"),
    };
    this.#sheet.draw();
  }

  #place() {
    const { width, height } = this.#sheet;
    this.#layout = this.#town && width > 0 ? layOut(this.#town, width, height) : null;
    if (this.#layout) this.#on.placed(this.#layout.width >= SIGNALS_FROM);
    this.#sheet.draw();
  }

  /** @param {CanvasRenderingContext2D} pen */
  #paint(pen) {
    const layout = this.#layout;
    if (layout === null) return;
    pen.lineJoin = "round";
    pen.lineCap = layout.width >= SIGNALS_FROM ? "round" : "butt";
    for (const [at, streets] of this.#byColour().entries()) {
      if (streets.length > 0) this.#stroke(pen, streets, this.#colours[at], layout.width);
    }
    if (this.#pointed >= 0) this.#highlight(pen);
    if (layout.width >= SIGNALS_FROM && this.#sample) this.#signals(pen, this.#sample);
  }

  /** Streets by the colour they have now, emptiest first so that jams lie on top. */
  #byColour() {
    /** @type {number[][]} */
    const groups = Array.from({ length: LEVELS }, () => []);
    const share = this.#sample?.share;
    const lines = /** @type {import("./layout.js").Layout} */ (this.#layout).lines;
    for (let street = 0; street < lines.length; street++) {
      if (lines[street].length > 0) groups[level(share?.[street] ?? 0)].push(street);
    }
    return groups;
  }

  /** @param {CanvasRenderingContext2D} pen @param {number[]} streets @param {string} colour @param {number} width */
  #stroke(pen, streets, colour, width) {
    const lines = /** @type {import("./layout.js").Layout} */ (this.#layout).lines;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    for (const street of streets) {
      const line = lines[street];
      pen.moveTo(line[0], line[1]);
      for (let at = 2; at < line.length; at += 2) pen.lineTo(line[at], line[at + 1]);
    }
    pen.stroke();
  }

  /** @param {CanvasRenderingContext2D} pen */
  #highlight(pen) {
    const layout = /** @type {import("./layout.js").Layout} */ (this.#layout);
    const colour = this.#colours[level(this.#sample?.share[this.#pointed] ?? 0)];
    this.#stroke(pen, [this.#pointed], this.#inks.mark, layout.width + 5);
    this.#stroke(pen, [this.#pointed], this.#inks.paper, layout.width + 2);
    this.#stroke(pen, [this.#pointed], colour, layout.width);
  }

  /**
   * A dot where traffic may go, a bar across the street where it must stop.
   *
   * @param {CanvasRenderingContext2D} pen
   * @param {import("./town.js").Sample} sample
   */
  #signals(pen, sample) {
    const layout = /** @type {import("./layout.js").Layout} */ (this.#layout);
    const dots = new Path2D();
    const bars = new Path2D();
    const size = layout.width * 0.42;
    for (const [street, line] of layout.lines.entries()) {
      if (line.length < 4 || sample.green[street] === 2) continue;
      const [x, y] = [line[line.length - 2], line[line.length - 1]];
      if (sample.green[street] === 1) {
        dots.moveTo(x + size, y);
        dots.arc(x, y, size, 0, 2 * Math.PI);
        continue;
      }
      const [dx, dy] = [x - line[line.length - 4], y - line[line.length - 3]];
      const across = (layout.width * 0.62) / (Math.hypot(dx, dy) || 1);
      bars.moveTo(x - dy * across, y + dx * across);
      bars.lineTo(x + dy * across, y - dx * across);
    }
    this.#ink(pen, dots, bars, layout.width);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Path2D} dots @param {Path2D} bars @param {number} width */
  #ink(pen, dots, bars, width) {
    const thick = Math.max(1.2, width * 0.34);
    pen.lineCap = "round";
    pen.strokeStyle = this.#inks.paper;
    pen.lineWidth = thick + 2;
    pen.stroke(bars);
    pen.lineWidth = 2;
    pen.stroke(dots);
    pen.fillStyle = this.#inks.go;
    pen.fill(dots);
    pen.strokeStyle = this.#inks.stop;
    pen.lineWidth = thick;
    pen.stroke(bars);
  }

  /** @param {PointerEvent} event */
  #pointAt(event) {
    if (this.#layout === null) return;
    const within = event.pointerType === "touch" ? 24 : 12;
    this.#point(nearest(this.#layout, event.offsetX, event.offsetY, within));
  }

  /** Arrow keys walk from street to street. @param {KeyboardEvent} event */
  #step(event) {
    const count = this.#layout?.lines.length ?? 0;
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.#point(-1);
    if (by === undefined || count === 0) return;
    event.preventDefault();
    const from = this.#pointed < 0 && by < 0 ? 0 : this.#pointed;
    this.#point((from + by + count) % count);
  }

  /** @param {number} street */
  #point(street) {
    if (street === this.#pointed) return;
    this.#pointed = street;
    this.#tell();
    this.#sheet.draw();
  }

  #tell() {
    const line = this.#layout?.lines[this.#pointed];
    if (!line?.length) return this.#on.pointed(-1, 0, 0);
    const [endX, endY] = [line[line.length - 2], line[line.length - 1]];
    this.#on.pointed(this.#pointed, (line[0] + endX) / 2, Math.min(line[1], endY));
  }
}
