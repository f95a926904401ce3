/** Small curves on a canvas: one line over time, and points in a plane with the newest marked. */

import { roundStep } from "./format.js";
import { Sheet } from "./sheet.js";

const EDGE = 5;
const FOOT = 16;

/** Shows the line it was given last; the upper end of its scale is a round number. */
export class Curve {
  #canvas;
  #sheet;
  /** @type {ArrayLike<number>} */ #xs = [];
  /** @type {ArrayLike<number>} */ #ys = [];
  #most = 0;
  #line = "";
  #fill = "";

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#sheet = new Sheet(canvas, { paint: (pen) => this.#paint(pen) });
  }

  /** @param {ArrayLike<number>} xs growing @param {ArrayLike<number>} ys @param {number} [least] of what the top stands for
   * @returns {number} what the top stands for */
  show(xs, ys, least = 0) {
    [this.#xs, this.#ys] = [xs, ys];
    let most = least;
    for (let at = 0; at < ys.length; at++) most = Math.max(most, ys[at]);
    this.#most = roundStep(Math.max(most, 1e-6));
    this.#sheet.draw();
    return this.#most;
  }

  /** Take the theme's colours. */
  dress() {
    const style = getComputedStyle(this.#canvas);
    this.#line = style.getPropertyValue("--accent").trim();
    this.#fill = style.getPropertyValue("--accent-wash").trim();
    this.#sheet.draw();
  }

  /** @param {CanvasRenderingContext2D} pen */
  #paint(pen) {
    const count = this.#xs.length;
    if (count === 0) return;
    const { width, height } = this.#sheet;
    const [first, last] = [this.#xs[0], this.#xs[count - 1]];
    const line = new Path2D();
    const x = (/** @type {number} */ at) => (last > first ? ((this.#xs[at] - first) / (last - first)) * (width - EDGE) : width - EDGE);
    const y = (/** @type {number} */ at) => height - 1 - (this.#ys[at] / this.#most) * (height - EDGE);
    for (let at = 0; at < count; at++) line.lineTo(x(at), y(at));
    const area = new Path2D(line);
    area.lineTo(x(count - 1), height);
    area.lineTo(x(0), height);
    pen.fillStyle = this.#fill;
    pen.fill(area);
    pen.strokeStyle = pen.fillStyle = this.#line;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.stroke(line);
    pen.beginPath();
    pen.arc(x(count - 1), y(count - 1), 2.6, 0, 2 * Math.PI);
    pen.fill();
  }
}

/** Shows points of a plane, the older the fainter, and marks one. */
export class Scatter {
  #canvas;
  #sheet;
  /** @type {{x: number, y: number}[]} */ #points = [];
  #marked = -1;
  /** @type {{point: string, mark: string, rule: string, soft: string}} */ #inks = { point: "", mark: "", rule: "", soft: "" };

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#sheet = new Sheet(canvas, { paint: (pen) => this.#paint(pen) });
  }

  /** @param {{x: number, y: number}[]} points oldest first @param {number} marked the index of one */
  show(points, marked) {
    [this.#points, this.#marked] = [points, marked];
    this.#sheet.draw();
  }

  /** Take the theme's colours. */
  dress() {
    const style = getComputedStyle(this.#canvas);
    const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    this.#inks = { point: ink("--accent"), mark: ink("--ink"), rule: ink("--rule"), soft: ink("--soft") };
    this.#sheet.draw();
  }

  /** @param {CanvasRenderingContext2D} pen */
  #paint(pen) {
    const { width, height } = this.#sheet;
    const most = (/** @type {"x" | "y"} */ axis) => Math.max(...this.#points.map((point) => point[axis]), 1e-9) * 1.05;
    const [mostX, mostY] = [roundStep(most("x")), roundStep(most("y"))];
    const [left, floor] = [4, height - FOOT];
    const x = (/** @type {number} */ value) => left + (value / mostX) * (width - left - EDGE);
    const y = (/** @type {number} */ value) => floor - (value / mostY) * (floor - EDGE);
    pen.strokeStyle = this.#inks.rule;
    pen.lineWidth = 1;
    pen.strokeRect(left + 0.5, EDGE + 0.5, width - left - EDGE - 1, floor - EDGE - 1);
    pen.font = `11px ${getComputedStyle(this.#canvas).fontFamily}`;
    pen.fillStyle = this.#inks.soft;
    pen.fillText("0", left, height - 3);
    pen.textAlign = "right";
    pen.fillText(String(mostX), width - EDGE, height - 3);
    pen.textAlign = "left";
    if (this.#points.length > 0) pen.fillText(String(mostY), left + 5, EDGE + 13);
    pen.fillStyle = this.#inks.point;
    for (const [at, point] of this.#points.entries()) {
      pen.globalAlpha = 0.15 + 0.5 * ((at + 1) / this.#points.length);
      pen.fillRect(x(point.x) - 1.5, y(point.y) - 1.5, 3, 3);
    }
    pen.globalAlpha = 1;
    const marked = this.#points[this.#marked];
    if (marked === undefined) return;
    pen.strokeStyle = this.#inks.mark;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x(marked.x), y(marked.y), 4.5, 0, 2 * Math.PI);
    pen.stroke();
  }
}
