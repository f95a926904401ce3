/**
 * A sparkline: one number over the last minutes, on a canvas.
 *
 * Keeps at most MOST_POINTS points, none older than SPAN_MS; a silence longer than GAP_MS breaks the line.
 */

import { Sheet } from "./sheet.js";

const SPAN_MS = 5 * 60_000;
const LEAST_SPAN_MS = 30_000;
const MOST_POINTS = 600;
const GAP_MS = 8_000;
const EDGE = 6;

/** @typedef {{at: number, value: number}} Point at: milliseconds, as performance.now() */

/** Shows what it was given by `add`. */
export class Sparkline {
  #canvas;
  #sheet;
  /** @type {Point[]} oldest first */ #points = [];
  #line = "";
  #fill = "";

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#sheet = new Sheet(canvas, { paint: (pen) => this.#paint(pen) });
  }

  /**
   * @param {number} at milliseconds, as performance.now()
   * @param {number} value
   */
  add(at, value) {
    const points = this.#points;
    const before = points.at(-2);
    // Two points closer than the canvas can show become one, the later.
    if (before && at - before.at < SPAN_MS / MOST_POINTS) points.pop();
    points.push({ at, value });
    while (points.length > MOST_POINTS || at - points[0].at > SPAN_MS) points.shift();
    this.#sheet.draw();
  }

  /** Put older points before those that are there. @param {Point[]} points oldest first */
  prepend(points) {
    const first = this.#points[0]?.at ?? Infinity;
    const last = this.#points.at(-1)?.at ?? 0;
    const older = points.filter((point) => point.at < first && last - point.at < SPAN_MS);
    const every = Math.ceil(older.length / MOST_POINTS) || 1;
    this.#points = [...older.filter((_, at) => at % every === 0), ...this.#points].slice(-MOST_POINTS);
    this.#sheet.draw();
  }

  /** Forget everything. */
  clear() {
    this.#points = [];
    this.#sheet.draw();
  }

  /** The least and the greatest value shown, and the minutes; null: nothing is. */
  range() {
    if (this.#points.length === 0) return null;
    const values = this.#points.map((point) => point.value);
    return { least: Math.min(...values), greatest: Math.max(...values), span: this.#span() };
  }

  /** Take the theme's colours; call again when it changes. */
  dress() {
    const style = getComputedStyle(this.#canvas);
    this.#line = style.getPropertyValue("--accent").trim();
    this.#fill = style.getPropertyValue("--accent-wash").trim();
    this.#sheet.draw();
  }

  #span() {
    const age = this.#points.length ? this.#points[this.#points.length - 1].at - this.#points[0].at : 0;
    return Math.min(SPAN_MS, Math.max(LEAST_SPAN_MS, age));
  }

  /** @param {CanvasRenderingContext2D} pen */
  #paint(pen) {
    const { width, height } = this.#sheet;
    const range = this.range();
    if (range === null) return;
    const last = this.#points[this.#points.length - 1];
    // A level line lies in the middle; a small wobble is not blown up to the full height.
    const middle = (range.least + range.greatest) / 2;
    const half = Math.max((range.greatest - range.least) / 2, Math.abs(middle) * 0.02, 1e-9);
    /** @param {Point} point @returns {[number, number]} */
    const place = ({ at, value }) => [
      (width - EDGE) * (1 - (last.at - at) / range.span),
      height / 2 - ((value - middle) / half) * (height / 2 - EDGE),
    ];
    for (const run of this.#runs()) this.#trace(pen, run.map(place));
    pen.fillStyle = this.#line;
    pen.beginPath();
    pen.arc(...place(last), 3.5, 0, 2 * Math.PI);
    pen.fill();
  }

  /** The points, parted where there was silence. @returns {Point[][]} */
  #runs() {
    /** @type {Point[][]} */
    const runs = [];
    for (const [index, point] of this.#points.entries()) {
      if (index === 0 || point.at - this.#points[index - 1].at > GAP_MS) runs.push([]);
      runs[runs.length - 1].push(point);
    }
    return runs;
  }

  /** @param {CanvasRenderingContext2D} pen @param {[number, number][]} places */
  #trace(pen, places) {
    const line = new Path2D();
    for (const [x, y] of places) line.lineTo(x, y);
    const area = new Path2D(line);
    area.lineTo(places[places.length - 1][0], this.#sheet.height);
    area.lineTo(places[0][0], this.#sheet.height);
    pen.fillStyle = this.#fill;
    pen.fill(area);
    pen.strokeStyle = this.#line;
    pen.lineWidth = 2;
    pen.lineJoin = pen.lineCap = "round";
    pen.stroke(line);
  }
}
