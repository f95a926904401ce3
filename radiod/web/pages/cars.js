/** Single vehicles between two samples: they are shown one sample late, on their way from the one to the next. Pure. */

import { along } from "./layout.js";

/** Milliseconds between samples beyond which nobody believes in a smooth drive. */
const SLOWEST_MS = 5000;
const FASTEST_MS = 50;

/** @typedef {import("./town.js").Vehicles} Vehicles */

/** The vehicles of one town, moving. */
export class Cars {
  #lengths;
  /** @type {Vehicles | null} */ #now = null;
  /** Of each vehicle in `#now`: its street in the sample before, and its share of that; -1: it was not there. */
  #fromStreet = new Int32Array(0);
  #fromAt = new Float64Array(0);
  #came = 0;
  #gap = 1000;

  /** @param {import("./town.js").Town} town */
  constructor({ streets }) {
    this.#lengths = Float64Array.from(streets, (street) => street.length);
  }

  /** @param {Vehicles | null} cars of the next sample @param {number} now milliseconds */
  add(cars, now) {
    const before = new Map();
    for (let at = 0; this.#now && at < this.#now.id.length; at++) before.set(this.#now.id[at], at);
    const count = cars?.id.length ?? 0;
    const [streets, shares] = [new Int32Array(count).fill(-1), new Float64Array(count)];
    for (let at = 0; cars && at < count; at++) {
      const was = before.get(cars.id[at]);
      if (was === undefined || this.#now === null) continue;
      streets[at] = this.#now.street[was];
      shares[at] = this.#now.at[was];
    }
    const gap = now - this.#came;
    this.#gap = this.#now && gap > FASTEST_MS ? Math.min(gap, SLOWEST_MS) : this.#gap;
    [this.#now, this.#fromStreet, this.#fromAt, this.#came] = [cars, streets, shares, now];
  }

  /** Whether they are still on their way. @param {number} now milliseconds */
  isMoving(now) {
    return this.#now !== null && now - this.#came < this.#gap;
  }

  /**
   * Where those in view are.
   *
   * @param {import("./layout.js").Layout} layout
   * @param {import("./camera.js").Camera} camera
   * @param {number} now milliseconds
   * @returns {Float64Array} x, y, ... in pixels
   */
  places(layout, camera, now) {
    const cars = this.#now;
    if (cars === null) return new Float64Array(0);
    const share = Math.min(1, Math.max(0, (now - this.#came) / this.#gap));
    /** @type {Map<number, number[]>} of each street in view: its vehicles, each with how much of it lies behind */
    const there = new Map();
    const visible = layout.visible(camera);
    for (let at = 0; at < visible.length; at++) there.set(visible[at], []);
    let count = 0;
    for (let at = 0; at < cars.id.length; at++) {
      const [street, behind] = this.#between(cars.street[at], cars.at[at], at, share);
      const list = there.get(street);
      if (list === undefined) continue;
      list.push(cars.id[at], behind);
      count += 1;
    }
    const places = new Float64Array(2 * count);
    let end = 0;
    for (const [street, list] of there) {
      const size = list.length > 0 ? layout.trace(street, camera) : 0;
      const lanes = layout.lanes[street];
      const width = layout.width(lanes, camera.zoom) * 0.9;
      for (let at = 0; at < list.length && size > 0; at += 2) {
        const { x, y, after } = along(layout.line, size, list[at + 1]);
        const [dx, dy] = [layout.line[after] - layout.line[after - 2], layout.line[after + 1] - layout.line[after - 1]];
        // Which lane it takes nobody says: the same one all the way.
        const aside = ((((list[at] % lanes) + 0.5) / lanes - 0.5) * width) / (Math.hypot(dx, dy) || 1);
        places[end++] = x - dy * aside;
        places[end++] = y + dx * aside;
      }
    }
    return places.subarray(0, end);
  }

  /** @param {number} street @param {number} to @param {number} at @param {number} share of the way
   * @returns {[number, number]} its street, and how much of that lies behind it */
  #between(street, to, at, share) {
    const [before, from] = [this.#fromStreet[at], this.#fromAt[at]];
    if (before < 0) return [street, to];
    if (before === street) return [street, from + (to - from) * share];
    const rest = this.#lengths[before] * (1 - from);
    const way = (rest + this.#lengths[street] * to) * share;
    return way < rest ? [before, from + way / this.#lengths[before]] : [street, (way - rest) / this.#lengths[street]];
  }
}
