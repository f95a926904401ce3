/**
 * Draws a town: streets of one colour and width in one stroke, then signals, then vehicles.
 *
 * Only what can be seen is looked at: O(streets in view) for a frame.
 */

import { LEVELS, level, slowness } from "./colours.js";
import { SIGNALS_FROM, along } from "./layout.js";
import { CLOSED } from "./town.js";

/** Pixels of a queue that can be told from its street. */
const QUEUE_FROM = 4;
/** Pixels for a metre from which vehicles are seen, and how many at the most. */
const CARS_FROM = 0.3;
const MOST_CARS = 5000;
const CLASSES = 9;
/** Pixels: a closed street is seen from afar, too. */
const BARRIER = 3;

/**
 * @typedef {{mark: string, go: string, stop: string, paper: string, car: string, shut: string}} Inks
 * @typedef {{sample: import("./town.js").Sample | null, mode: "density" | "speed", pointed: number,
 *   pinned: number}} Look what is to be seen: pointed, pinned: streets by their place in the list, -1: none
 */

/** Draws one town, again and again. */
export class Painter {
  #town;
  #layout;
  #camera;
  /** @type {string[]} */ colours = [];
  /** @type {Inks} */ inks = { mark: "", go: "", stop: "", paper: "", car: "", shut: "" };
  /** Per street: the index of its colour. */ #levels;
  #leveled = "";
  /** @type {unknown} */ #sample = null;
  /** Streets of one colour and width: the first of them, and behind each the next. */ #first = new Int32Array(LEVELS * CLASSES);
  #next;

  /** @param {import("./town.js").Town} town @param {import("./layout.js").Layout} layout @param {import("./camera.js").Camera} camera */
  constructor(town, layout, camera) {
    this.#town = town;
    this.#layout = layout;
    this.#camera = camera;
    this.#levels = new Uint8Array(town.streets.length);
    this.#next = new Int32Array(town.streets.length);
  }

  /** Whether there is room for signals. */
  get hasSignals() {
    return this.#layout.base(this.#camera.zoom) >= SIGNALS_FROM;
  }

  /** Whether vehicles are near enough to be seen. */
  get hasCars() {
    return this.#camera.zoom >= CARS_FROM;
  }

  /** @param {CanvasRenderingContext2D} pen @param {Look} look @param {Float64Array | null} cars x, y, ... on the screen */
  paint(pen, look, cars) {
    const visible = this.#layout.visible(this.#camera);
    this.#level(look);
    this.#group(visible);
    pen.lineJoin = "round";
    pen.lineCap = this.hasSignals ? "round" : "butt";
    this.#streets(pen);
    if (look.mode === "density") this.#queues(pen, look, visible);
    if (look.pinned >= 0) this.#highlight(pen, look.pinned, 4);
    if (look.pointed >= 0) this.#highlight(pen, look.pointed, 2.5);
    if (look.sample?.left) this.#barriers(pen, look.sample.left, visible);
    if (this.hasSignals && look.sample) this.#signals(pen, look.sample, visible);
    if (cars) this.#cars(pen, cars);
  }

  /** @param {Look} look */
  #level({ sample, mode }) {
    // Where queues cannot be told from their streets, these are as full as they are.
    const hasQueues = this.hasSignals && mode === "density";
    if (sample === this.#sample && `${mode} ${hasQueues}` === this.#leveled) return;
    [this.#sample, this.#leveled] = [sample, `${mode} ${hasQueues}`];
    if (sample === null) return void this.#levels.fill(0);
    const { share, speed, queue, vehicles } = sample;
    for (let street = 0; street < share.length; street++) {
      if (mode === "speed") this.#levels[street] = slowness(speed[street]);
      else if (queue === null || !hasQueues || queue[street] <= 0) this.#levels[street] = level(share[street]);
      else {
        // The part that is not queued, which the queue is drawn beside.
        const { length, jam } = this.#town.streets[street];
        const free = Math.max(length - queue[street], 1);
        this.#levels[street] = level(Math.max(0, vehicles[street] - queue[street] * jam) / free / jam);
      }
    }
  }

  /** @param {ArrayLike<number>} visible */
  #group(visible) {
    this.#first.fill(-1);
    for (let at = 0; at < visible.length; at++) {
      const key = this.#levels[visible[at]] * CLASSES + this.#layout.lanes[visible[at]];
      this.#next[visible[at]] = this.#first[key];
      this.#first[key] = visible[at];
    }
  }

  /** Emptiest first, so that jams lie on top. @param {CanvasRenderingContext2D} pen */
  #streets(pen) {
    for (let key = 0; key < this.#first.length; key++) {
      if (this.#first[key] < 0) continue;
      pen.strokeStyle = this.colours[Math.floor(key / CLASSES)];
      pen.lineWidth = this.#layout.width(key % CLASSES, this.#camera.zoom);
      pen.beginPath();
      for (let street = this.#first[key]; street >= 0; street = this.#next[street]) this.#trace(pen, street);
      pen.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} street */
  #trace(pen, street) {
    const size = this.#layout.trace(street, this.#camera);
    const { line } = this.#layout;
    if (size > 0) pen.moveTo(line[0], line[1]);
    for (let at = 2; at < size; at += 2) pen.lineTo(line[at], line[at + 1]);
  }

  /** The queued end of each street in the colour of a jam. @param {CanvasRenderingContext2D} pen @param {Look} look
   * @param {ArrayLike<number>} visible */
  #queues(pen, { sample }, visible) {
    const queue = sample?.queue;
    if (!queue || !this.hasSignals) return;
    pen.strokeStyle = this.colours[LEVELS - 1];
    pen.lineCap = "butt";
    for (let lanes = 1; lanes < CLASSES; lanes++) {
      pen.lineWidth = this.#layout.width(lanes, this.#camera.zoom);
      pen.beginPath();
      for (let at = 0; at < visible.length; at++) {
        const street = visible[at];
        if (this.#layout.lanes[street] !== lanes || queue[street] * this.#camera.zoom < QUEUE_FROM) continue;
        const size = this.#layout.trace(street, this.#camera);
        const { line } = this.#layout;
        const { x, y, after } = along(line, size, 1 - queue[street] / this.#town.streets[street].length);
        pen.moveTo(x, y);
        for (let next = after; next < size; next += 2) pen.lineTo(line[next], line[next + 1]);
      }
      pen.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} street @param {number} rim pixels */
  #highlight(pen, street, rim) {
    const width = this.#layout.width(this.#layout.lanes[street], this.#camera.zoom);
    pen.lineCap = "round";
    const coats = [[this.inks.mark, width + 2 * rim], [this.inks.paper, width + 2], [this.colours[this.#levels[street]], width]];
    for (const [ink, wide] of coats) {
      pen.strokeStyle = /** @type {string} */ (ink);
      pen.lineWidth = /** @type {number} */ (wide);
      pen.beginPath();
      this.#trace(pen, street);
      pen.stroke();
    }
  }

  /**
   * Closed streets are striped and crossed out; narrowed ones have a dotted line in their middle.
   *
   * @param {CanvasRenderingContext2D} pen @param {Uint8Array} left @param {ArrayLike<number>} visible
   */
  #barriers(pen, left, visible) {
    const crosses = new Path2D();
    const arm = Math.min(7, Math.max(3.5, this.#layout.base(this.#camera.zoom) * 0.9));
    for (let at = 0; at < visible.length; at++) {
      const street = visible[at];
      if (left[street] === 100) continue;
      const isClosed = left[street] === CLOSED || left[street] === 0;
      const wide = this.#layout.width(this.#layout.lanes[street], this.#camera.zoom);
      const thick = isClosed ? Math.max(wide, BARRIER) : Math.max(wide * 0.35, BARRIER);
      pen.lineCap = isClosed ? "butt" : "round";
      pen.setLineDash(isClosed ? [BARRIER, BARRIER] : [0.1, 2.6 * thick]);
      pen.beginPath();
      this.#trace(pen, street);
      // Dots have a rim, as streets may have any colour.
      for (const rim of isClosed ? [0] : [1.6, 0]) {
        [pen.strokeStyle, pen.lineWidth] = [rim ? this.inks.paper : this.inks.shut, thick + rim];
        pen.stroke();
      }
      const size = isClosed ? this.#layout.trace(street, this.#camera) : 0;
      if (size < 4) continue;
      const { x, y } = along(this.#layout.line, size, 0.5);
      for (const slope of [1, -1]) {
        crosses.moveTo(x - arm, y - slope * arm);
        crosses.lineTo(x + arm, y + slope * arm);
      }
    }
    pen.setLineDash([]);
    pen.lineCap = "round";
    for (const [ink, wide] of /** @type {[string, number][]} */ ([[this.inks.paper, 5], [this.inks.shut, 2.4]])) {
      [pen.strokeStyle, pen.lineWidth] = [ink, wide];
      pen.stroke(crosses);
    }
  }

  /**
   * A dot where traffic may go, a bar across the street where it must stop.
   *
   * @param {CanvasRenderingContext2D} pen
   * @param {import("./town.js").Sample} sample
   * @param {ArrayLike<number>} visible
   */
  #signals(pen, sample, visible) {
    const dots = new Path2D();
    const bars = new Path2D();
    const base = Math.min(this.#layout.base(this.#camera.zoom), 9);
    for (let at = 0; at < visible.length; at++) {
      const street = visible[at];
      const hasLight = sample.green[street] !== 2 && this.#town.lit[street];
      const size = hasLight ? this.#layout.trace(street, this.#camera) : 0;
      if (size < 4) continue;
      const { line } = this.#layout;
      const [x, y] = [line[size - 2], line[size - 1]];
      if (sample.green[street] === 1) {
        dots.moveTo(x + base * 0.42, y);
        dots.arc(x, y, base * 0.42, 0, 2 * Math.PI);
        continue;
      }
      const [dx, dy] = [x - line[size - 4], y - line[size - 3]];
      const wide = this.#layout.width(this.#layout.lanes[street], this.#camera.zoom);
      const across = (wide * 0.5 + base * 0.12) / (Math.hypot(dx, dy) || 1);
      bars.moveTo(x - dy * across, y + dx * across);
      bars.lineTo(x + dy * across, y - dx * across);
    }
    this.#ink(pen, dots, bars, base);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Path2D} dots @param {Path2D} bars @param {number} width */
  #ink(pen, dots, bars, width) {
    const thick = Math.max(1.2, width * 0.34);
    pen.lineCap = "round";
    pen.strokeStyle = this.inks.paper;
    pen.lineWidth = thick + 2;
    pen.stroke(bars);
    pen.lineWidth = 2;
    pen.stroke(dots);
    pen.fillStyle = this.inks.go;
    pen.fill(dots);
    pen.strokeStyle = this.inks.stop;
    pen.lineWidth = thick;
    pen.stroke(bars);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Float64Array} places */
  #cars(pen, places) {
    const radius = Math.min(7, Math.max(1.3, Math.min(this.#layout.base(this.#camera.zoom), 9) * 0.26, 1.1 * this.#camera.zoom));
    const dots = new Path2D();
    for (let at = 0; at + 1 < places.length && at < 2 * MOST_CARS; at += 2) {
      dots.moveTo(places[at] + radius, places[at + 1]);
      dots.arc(places[at], places[at + 1], radius, 0, 2 * Math.PI);
    }
    pen.strokeStyle = this.inks.paper;
    pen.lineWidth = 1.4;
    pen.stroke(dots);
    pen.fillStyle = this.inks.car;
    pen.fill(dots);
  }
}
